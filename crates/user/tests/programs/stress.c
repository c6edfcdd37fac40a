// Everything at once: threads that map, fork, spawn, make threads and write code, while a timer interrupts them.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { PAGE = 4096, SECONDS = 2 };
extern char **environ;
static atomic_int stop;
static atomic_long signals, rounds[5];
static volatile double spoiled;

static void bad(const char *what) {
    printf("wrong: %s\n", what);
    fflush(stdout);
    _exit(1);
}
static void interrupt(int signal) {
    long n = atomic_fetch_add(&signals, 1);
    spoiled = n * 1.5 + spoiled / 3;
}
static pid_t wait_for(pid_t child, int *status) {
    pid_t got;
    while ((got = waitpid(child, status, 0)) < 0 && errno == EINTR) {}
    return got;
}
static void *maps(void *argument) {
    for (unsigned n = 1; !stop; n = n % 40 + 1) {
        char *small = mmap(0, n * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        for (unsigned i = 0; i < n; i++) small[i * PAGE] = i;
        char *large = mremap(small, n * PAGE, (n + 3) * PAGE, MREMAP_MAYMOVE);
        large[(n + 2) * PAGE] = 1;
        for (unsigned i = 0; i < n; i++) {
            if (large[i * PAGE] != (char)i) bad("what was moved");
        }
        mprotect(large + PAGE, PAGE, PROT_READ);
        munmap(large, (n + 3) * PAGE);
        rounds[0]++;
    }
    return 0;
}
static void *forks(void *argument) {
    while (!stop) {
        int status;
        pid_t child = fork();
        if (!child) {
            memset(malloc(10000), 1, 10000);
            _exit(7);
        }
        if (wait_for(child, &status) != child || WEXITSTATUS(status) != 7) bad("a child");
        rounds[1]++;
    }
    return 0;
}
static void *spawns(void *argument) {
    char *args[] = {"true", 0};
    while (!stop) {
        int status;
        pid_t child;
        if (posix_spawn(&child, "/bin/true", 0, 0, args, environ)) bad("spawning");
        if (wait_for(child, &status) != child || status) bad("what was spawned");
        rounds[2]++;
    }
    return 0;
}
static void *returns(void *argument) { return argument; }
static void *makes_threads(void *argument) {
    while (!stop) {
        pthread_t thread;
        void *result;
        if (pthread_create(&thread, 0, returns, &thread)) bad("making a thread");
        pthread_join(thread, &result);
        if (result != &thread) bad("a thread");
        rounds[3]++;
    }
    return 0;
}
static void *writes_code(void *argument) {
    unsigned *code = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    for (int i = 0; !stop; i = (i + 1) & 1023) {
        code[0] = 0x00000513 | i << 20; // addi a0, zero, i
        code[1] = 0x00008067;           // ret
        __builtin___clear_cache((char *)code, (char *)(code + 2));
        if (((int (*)(void))code)() != i) bad("code");
        rounds[4]++;
    }
    return 0;
}
static double series(long steps) {
    double x = 1, sum = 0;
    for (long i = 0; i < steps; i++) {
        x = x * 1.0000001 + 0.5;
        sum += x / 3;
        if (x > 1e6) x = 1;
    }
    return sum;
}

int main(void) {
    struct sigaction action = {.sa_handler = interrupt, .sa_flags = SA_RESTART};
    sigaction(SIGALRM, &action, 0);
    struct itimerval timer = {{0, 100}, {0, 100}}, never = {0};
    setitimer(ITIMER_REAL, &timer, 0);
    int same = 1;
    double first = series(10000);
    while (signals < 3000) same &= series(10000) == first;
    setitimer(ITIMER_REAL, &never, 0);
    printf("floating point under 3000 signals: %s\n", same && series(10000) == first ? "same" : "different");

    timer.it_interval.tv_usec = timer.it_value.tv_usec = 700;
    setitimer(ITIMER_REAL, &timer, 0);
    void *(*all[])(void *) = {maps, maps, forks, forks, spawns, makes_threads, makes_threads, writes_code};
    pthread_t threads[8];
    for (int i = 0; i < 8; i++) pthread_create(threads + i, 0, all[i], 0);
    time_t end = time(0) + SECONDS;
    while (time(0) <= end) usleep(1000);
    stop = 1;
    for (int i = 0; i < 8; i++) pthread_join(threads[i], 0);
    int idle = 0;
    for (int i = 0; i < 5; i++) idle += rounds[i] == 0;
    printf("%d of 5 kinds of work were not done\n", idle);
    return 0;
}
