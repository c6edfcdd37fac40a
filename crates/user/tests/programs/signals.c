// Signals: what handlers are told, masks, stacks, restarting, waiting, and registers that come back.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <ucontext.h>
#include <unistd.h>

static volatile sig_atomic_t seen, code, on_stack;
static volatile uintptr_t addr, page_of_sp;
static sigjmp_buf back;

static void note(int signal, siginfo_t *info, void *context) {
    seen = signal;
    code = info->si_code;
    addr = (uintptr_t)info->si_addr;
}
static void jump(int signal, siginfo_t *info, void *context) {
    note(signal, info, context);
    siglongjmp(back, 1);
}
// Goes on after the instruction that faulted.
static void skip(int signal, siginfo_t *info, void *context) {
    ucontext_t *uc = context;
    note(signal, info, context);
    uint16_t low = *(uint16_t *)uc->uc_mcontext.__gregs[REG_PC];
    uc->uc_mcontext.__gregs[REG_PC] += (low & 3) == 3 ? 4 : 2;
    uc->uc_mcontext.__gregs[REG_A0] = 0x1234;
    // The kernel's own vector of floats comes back changed too.
    uc->uc_mcontext.__fpregs.__d.__f[10] = 0x4008000000000000;
}
static void take(int signal, void (*handler)(int, siginfo_t *, void *), int flags) {
    struct sigaction action = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};
    sigaction(signal, &action, 0);
}
static void where(int signal) {
    stack_t stack;
    int here;
    sigaltstack(0, &stack);
    on_stack = stack.ss_flags;
    page_of_sp = (uintptr_t)&here;
}
static void nested(int signal) {
    sigset_t mask;
    sigprocmask(0, 0, &mask);
    printf("in %d: usr1 %d usr2 %d alrm %d\n", signal, sigismember(&mask, SIGUSR1), sigismember(&mask, SIGUSR2),
           sigismember(&mask, SIGALRM));
    if (signal == SIGUSR1) raise(SIGUSR2);
    printf("out %d\n", signal);
}
static void nothing(int signal) { seen = signal; }

#define FAULT(what, ...)                                                       \
    do {                                                                       \
        seen = 0;                                                              \
        if (!sigsetjmp(back, 1)) { __VA_ARGS__; }                              \
        printf("%s: signal %d code %d\n", what, seen, code);                   \
    } while (0)

int main(void) {
    for (int signal = SIGILL; signal <= SIGSEGV; signal++) {
        if (signal != SIGKILL && signal != SIGABRT) take(signal, jump, 0);
    }
    volatile char *none = (char *)0x123000;
    volatile char *read_only = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    FAULT("load of nothing", *none);
    printf("at %lx\n", addr);
    FAULT("store to nothing", none[5] = 1);
    printf("at %lx\n", addr);
    FAULT("store to read-only", read_only[7] = 1);
    printf("at +%lx\n", addr - (uintptr_t)read_only);
    FAULT("load of far away", *(volatile long *)0x7fffffffffff0000);
    FAULT("jump to nothing", ((void (*)(void))none)());
    printf("at %lx\n", addr);
    FAULT("jump to data", ((void (*)(void))read_only)());
    FAULT("illegal", __asm__ volatile(".word 0xffffffff"));
    FAULT("all zeros", __asm__ volatile(".half 0"));
    FAULT("machine csr", __asm__ volatile("csrr t0, mstatus"));
    FAULT("break", __asm__ volatile("ebreak"));

    take(SIGILL, skip, 0);
    register long a0 __asm__("a0") = 1;
    register double fa0 __asm__("fa0") = 1;
    register double fs0 __asm__("fs0") = 7;
    __asm__ volatile(".word 0xffffffff" : "+r"(a0), "+f"(fa0), "+f"(fs0));
    long got = a0;
    double fgot = fa0, fkept = fs0;
    printf("after skipping: a0 %lx fa0 %g fs0 %g\n", got, fgot, fkept);

    // Masks.
    struct sigaction action = {.sa_handler = nested, .sa_flags = SA_RESTART};
    sigaddset(&action.sa_mask, SIGALRM);
    sigaction(SIGUSR1, &action, 0);
    sigemptyset(&action.sa_mask);
    action.sa_flags |= SA_NODEFER;
    sigaction(SIGUSR2, &action, 0);
    raise(SIGUSR1);
    sigset_t one, old, pending;
    sigemptyset(&one);
    sigaddset(&one, SIGUSR2);
    sigprocmask(SIG_BLOCK, &one, &old);
    raise(SIGUSR2);
    sigpending(&pending);
    printf("pending %d\n", sigismember(&pending, SIGUSR2));
    sigprocmask(SIG_SETMASK, &old, 0);
    printf("unblocked\n");

    // Real-time signals queue, and carry values.
    sigemptyset(&one);
    sigaddset(&one, SIGRTMIN + 3);
    sigprocmask(SIG_BLOCK, &one, 0);
    for (int i = 0; i < 3; i++) sigqueue(getpid(), SIGRTMIN + 3, (union sigval){.sival_int = i * 11});
    for (int i = 0; i < 3; i++) {
        siginfo_t info;
        struct timespec soon = {1, 0};
        int signal = sigtimedwait(&one, &info, &soon);
        printf("waited: rtmin+%d value %d code %d\n", signal - SIGRTMIN, info.si_value.sival_int, info.si_code);
    }
    struct timespec soon = {0, 1000000};
    printf("waited: %d %s\n", sigtimedwait(&one, 0, &soon), strerror(errno));

    // An alternative stack.
    static char stack[65536];
    stack_t alt = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alt, 0);
    action = (struct sigaction){.sa_handler = where, .sa_flags = SA_ONSTACK};
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    int within = page_of_sp >= (uintptr_t)stack && page_of_sp < (uintptr_t)stack + sizeof stack;
    printf("on the other stack: %d, flags %d\n", within, on_stack);
    alt.ss_size = 100;
    printf("small stack: %d %s\n", sigaltstack(&alt, 0), strerror(errno));

    // Restarting, or not.
    int pipes[2];
    pipe(pipes);
    for (int restart = 0; restart < 2; restart++) {
        action = (struct sigaction){.sa_handler = nothing, .sa_flags = restart ? SA_RESTART : 0};
        sigaction(SIGALRM, &action, 0);
        struct itimerval timer = {.it_value = {0, 50000}};
        if (!fork()) {
            usleep(200000);
            write(pipes[1], "x", 1);
            _exit(0);
        }
        setitimer(ITIMER_REAL, &timer, 0);
        char byte;
        errno = 0;
        int got = read(pipes[0], &byte, 1);
        printf("read with%s restart: %d %s\n", restart ? "" : "out", got, strerror(errno));
        if (got < 0) got = read(pipes[0], &byte, 1);
        wait(0);
        setitimer(ITIMER_REAL, &timer, 0);
        struct timespec long_ago = {5, 0}, left;
        int slept = nanosleep(&long_ago, &left);
        printf("sleep: %d %s, left %d\n", slept, strerror(errno), left.tv_sec >= 4);
    }
    setitimer(ITIMER_REAL, &(struct itimerval){.it_value = {0, 20000}}, 0);
    sigemptyset(&one);
    printf("suspended: %d %s, saw %d\n", sigsuspend(&one), strerror(errno), seen);

    // Once, ignored, and default.
    action = (struct sigaction){.sa_handler = nothing, .sa_flags = SA_RESETHAND};
    sigaction(SIGUSR1, &action, 0);
    raise(SIGUSR1);
    sigaction(SIGUSR1, 0, &action);
    printf("reset: %d\n", action.sa_handler == SIG_DFL);
    signal(SIGUSR1, SIG_IGN);
    raise(SIGUSR1);
    printf("kill and stop: %d %d\n", sigaction(SIGKILL, &action, 0), sigaction(SIGSTOP, &action, 0));
    const int deaths[] = {SIGTERM, SIGSEGV, SIGKILL, SIGUSR2, SIGABRT, SIGRTMAX};
    fflush(stdout);
    for (int i = 0; i < 6; i++) {
        int status;
        pid_t child = fork();
        if (!child) {
            freopen("/dev/null", "w", stderr);
            signal(deaths[i], SIG_DFL);
            if (deaths[i] == SIGSEGV) *(volatile int *)0 = 1;
            raise(deaths[i]);
            _exit(1);
        }
        waitpid(child, &status, 0);
        printf("death by %d: %d\n", deaths[i], WIFSIGNALED(status) ? WTERMSIG(status) : -1);
    }
    return 0;
}
