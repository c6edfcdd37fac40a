// Processes and what they say to each other: fork, vfork, exec, wait, pipes, sockets, events, locks.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/sem.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysinfo.h>
#include <sys/time.h>
#include <sys/timerfd.h>
#include <sys/uio.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void ended(const char *what, pid_t child) {
    int status;
    struct rusage usage;
    pid_t got = wait4(child, &status, 0, &usage);
    printf("%s: %s %d, signal %d\n", what, got == child ? "status" : "lost", WEXITSTATUS(status), WTERMSIG(status));
}

int main(int argc, char **argv) {
    if (argc > 1) {
        printf("again as %s: %s %s\n", argv[0], argv[1], getenv("NEW") ? getenv("NEW") : "");
        return atoi(argv[1]);
    }
    setvbuf(stdout, 0, _IONBF, 0);
    pid_t child = fork();
    if (!child) _exit(3);
    ended("fork", child);
    child = vfork();
    if (!child) _exit(4);
    ended("vfork", child);
    char *own[] = {"called", "5", 0}, *env[] = {"NEW=world", 0};
    if (!(child = fork())) {
        execve("/proc/self/exe", own, env);
        _exit(9);
    }
    ended("exec of ourselves", child);
    char *echo[] = {"echo", "from", "the", "host", 0};
    if (!(child = vfork())) {
        execve("/bin/echo", echo, env);
        _exit(9);
    }
    ended("exec of the host's", child);
    extern char **environ;
    posix_spawn_file_actions_t closing;
    posix_spawn_file_actions_init(&closing);
    posix_spawn_file_actions_addclosefrom_np(&closing, 3);
    int spawned = posix_spawn(&child, "/nonexistent", &closing, 0, own, environ);
    printf("spawn of nothing: %s\n", strerror(spawned));
    if (!spawned) wait(0);
    volatile int told = 0;
    if (!(child = vfork())) {
        told = 77;
        _exit(0);
    }
    wait(0);
    printf("told by a child: %d\n", told);
    printf("exec of nothing: %d %s\n", execve("/nonexistent", own, env), strerror(errno));
    if (!(child = fork())) {
        raise(SIGSTOP);
        _exit(6);
    }
    int status;
    waitpid(child, &status, WUNTRACED);
    printf("stopped %d\n", WIFSTOPPED(status) ? WSTOPSIG(status) : 0);
    kill(child, SIGCONT);
    ended("continued", child);
    printf("no child: %d %s\n", wait(0), strerror(errno));

    // Sockets, and a descriptor sent through one.
    int pair[2], pipes[2];
    socketpair(AF_UNIX, SOCK_STREAM, 0, pair);
    pipe(pipes);
    union { struct cmsghdr header; char bytes[CMSG_SPACE(sizeof(int))]; } control = {0};
    struct iovec parts[] = {{"hel", 3}, {"lo", 2}};
    struct msghdr message = {.msg_iov = parts, .msg_iovlen = 2, .msg_control = &control,
                             .msg_controllen = sizeof control};
    control.header = (struct cmsghdr){CMSG_LEN(sizeof(int)), SOL_SOCKET, SCM_RIGHTS};
    memcpy(CMSG_DATA(&control.header), &pipes[0], sizeof(int));
    printf("sent %zd, ", sendmsg(pair[0], &message, 0));
    char text[32] = {0};
    struct iovec whole = {text, sizeof text};
    message.msg_iov = &whole;
    message.msg_iovlen = 1;
    memset(&control, 0, sizeof control);
    printf("got %zd '%s', control %zu\n", recvmsg(pair[1], &message, 0), text, (size_t)message.msg_controllen);
    int passed;
    memcpy(&passed, CMSG_DATA(&control.header), sizeof passed);
    write(pipes[1], "through", 7);
    printf("read %zd\n", read(passed, text, sizeof text));
    printf("not a socket: %d %s\n", listen(pipes[0], 1), strerror(errno));

    // Events.
    int events = eventfd(0, EFD_NONBLOCK), epoll = epoll_create1(0);
    for (long i = 0; i < 2; i++) {
        struct epoll_event event = {EPOLLIN, {.u64 = 0x123456789abcdef0 + i}};
        epoll_ctl(epoll, EPOLL_CTL_ADD, i ? pipes[0] : events, &event);
    }
    struct epoll_event found[4];
    printf("nothing yet: %d\n", epoll_wait(epoll, found, 4, 1));
    eventfd_write(events, 5);
    write(pipes[1], "x", 1);
    int count = epoll_wait(epoll, found, 4, 1000);
    unsigned long sum = 0;
    for (int i = 0; i < count; i++) sum += found[i].data.u64;
    printf("found %d, %lx\n", count, sum);
    struct pollfd polled[] = {{pipes[0], POLLIN}, {pipes[1], POLLOUT}, {99, POLLIN}};
    printf("poll %d: ", poll(polled, 3, 0));
    printf("%d %d %d\n", polled[0].revents, polled[1].revents, polled[2].revents);
    fd_set set;
    FD_ZERO(&set);
    FD_SET(pipes[0], &set);
    struct timespec soon = {0, 1000000};
    printf("select %d %d\n", pselect(pipes[0] + 1, &set, 0, 0, &soon, 0), FD_ISSET(pipes[0], &set));
    int timer = timerfd_create(CLOCK_MONOTONIC, 0);
    timerfd_settime(timer, 0, &(struct itimerspec){.it_value = {0, 1000000}}, 0);
    uint64_t ticks;
    read(timer, &ticks, 8);
    printf("ticked %lu\n", ticks);
    int semaphores = semget(IPC_PRIVATE, 2, 0600);
    struct semid_ds about;
    semctl(semaphores, 0, SETVAL, 3);
    semctl(semaphores, 0, IPC_STAT, &about);
    printf("semaphores %lu, value %d\n", about.sem_nsems, semctl(semaphores, 0, GETVAL));
    semctl(semaphores, 0, IPC_RMID);

    // Files.
    char name[] = "/tmp/hartwright-XXXXXX";
    int fd = mkstemp(name);
    unlink(name);
    struct iovec out[] = {{"one ", 4}, {"two ", 4}, {"three", 5}};
    printf("written %zd, ", writev(fd, out, 3));
    ftruncate(fd, 5000);
    struct stat stat;
    fstat(fd, &stat);
    printf("size %ld, mode %o, links %lu, block %ld\n", (long)stat.st_size, stat.st_mode, (long)stat.st_nlink,
           (long)stat.st_blksize);
    char line[8] = {0};
    preadv(fd, (struct iovec[]){{line, 3}, {line + 3, 4}}, 2, 4);
    printf("read '%s', lseek %ld\n", line, (long)lseek(fd, 0, SEEK_DATA));
    struct flock lock = {F_WRLCK, SEEK_SET, 0, 10};
    printf("lock %d, ", fcntl(fd, F_SETLK, &lock));
    if (!(child = fork())) {
        struct flock other = {F_WRLCK, SEEK_SET, 5, 1};
        fcntl(fd, F_GETLK, &other);
        _exit(other.l_type == F_WRLCK && other.l_pid == getppid() ? 8 : 9);
    }
    ended("held", child);
    printf("flags %o, cloexec %d\n", fcntl(fd, F_GETFL) & O_ACCMODE, fcntl(fd, F_GETFD));
    stat.st_mode = 0;
    printf("/proc/self/exe %d %d\n", lstat("/proc/self/exe", &stat), S_ISLNK(stat.st_mode));
    FILE *maps = fopen("/proc/self/maps", "r");
    int stack = 0;
    char entry[256];
    while (fgets(entry, sizeof entry, maps)) stack |= strstr(entry, "[stack]") != 0;
    printf("maps tell of a stack: %d\n", stack);

    // Time, limits, names.
    struct timespec now, res;
    clock_getres(CLOCK_MONOTONIC, &res);
    printf("clock %d, resolution %ld\n", clock_gettime(CLOCK_MONOTONIC, &now), res.tv_nsec);
    struct rlimit limit = {100, 200};
    setrlimit(RLIMIT_NOFILE, &limit);
    getrlimit(RLIMIT_NOFILE, &limit);
    printf("limit %lu %lu\n", (long)limit.rlim_cur, (long)limit.rlim_max);
    char thread[16];
    prctl(PR_SET_NAME, "renamed");
    prctl(PR_GET_NAME, thread);
    printf("name %s\n", thread);
    cpu_set_t cpus;
    printf("processors %d\n", sched_getaffinity(0, sizeof cpus, &cpus) == 0 && CPU_COUNT(&cpus) > 0);
    printf("unknown call: %ld %s\n", syscall(499), strerror(errno));
    return 0;
}
