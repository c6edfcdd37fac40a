// The first process of the suite `checked`: runs each program of /list, says which does not do what it should, and
// switches the machine off.
//
// A line of the list is the number of a program in /programs; if a blank and a text follow, the program has to write
// that text and a newline. Every program has to end with status 0.

#define _GNU_SOURCE
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

// Seconds after which a program has failed.
enum { LIMIT = 120 };

static pid_t child;

static void end_child(int signal) {
    (void)signal;
    kill(-child, SIGKILL);
}

// Starts `path` in a process group of its own, so that what it leaves behind can be ended too; gives its output.
static int start(const char *path) {
    int ends[2];
    if (pipe2(ends, O_CLOEXEC) < 0) return -1;
    child = fork();
    if (child == 0) {
        setpgid(0, 0);
        dup2(open("/dev/null", O_RDONLY), 0);
        dup2(ends[1], 1);
        char *arguments[] = {(char *)path, NULL};
        execve(path, arguments, environ);
        _exit(127);
    }
    // Whoever comes first: a child that is to be ended has its group by then.
    setpgid(child, child);
    close(ends[1]);
    return ends[0];
}

// Reads until nobody writes any more; keeps the first line of it.
static void hear(int from, char *line, size_t size) {
    size_t kept = 0;
    char more[512];
    for (ssize_t n; (n = read(from, more, sizeof more)) > 0;) {
        size_t room = size - 1 - kept, part = (size_t)n < room ? (size_t)n : room;
        memcpy(line + kept, more, part);
        kept += part;
    }
    close(from);
    line[kept] = 0;
    line[strcspn(line, "\n")] = 0;
}

// Runs program `number`, which has to write `right`, or anything if that is NULL.
static void run(int number, const char *right) {
    char path[32], said[256];
    snprintf(path, sizeof path, "/programs/%d", number);
    int output = start(path), status = -1;
    alarm(LIMIT);
    hear(output, said, sizeof said);
    waitpid(child, &status, 0);
    alarm(0);
    end_child(0);
    if (status == 0 && (!right || strcmp(said, right) == 0)) return;
    printf("hartwright guest: wrong %d: ", number);
    printf(WIFSIGNALED(status) ? "signal %d" : "exit %d", WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
    printf(", saying \"%s\"\n", said);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    puts("hartwright guest: init");
    mount("proc", "/proc", "proc", 0, NULL);
    mount("devtmpfs", "/dev", "devtmpfs", 0, NULL);
    if (chdir("/tmp") < 0) perror("/tmp");
    // Without SA_RESTART, so that nobody waits for what a child of the child might still write.
    struct sigaction action = {.sa_handler = end_child};
    sigaction(SIGALRM, &action, NULL);

    FILE *list = fopen("/list", "re");
    char line[256];
    int ran = 0;
    for (; list && fgets(line, sizeof line, list); ran++) {
        line[strcspn(line, "\n")] = 0;
        char *right = strchr(line, ' ');
        run(atoi(line), right ? right + 1 : NULL);
    }
    printf("hartwright guest: ran %d\n", ran);
    // What was said is with the terminal, and may not be on the line yet.
    tcdrain(1);
    reboot(RB_POWER_OFF);
}
