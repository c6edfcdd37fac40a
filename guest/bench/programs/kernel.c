/* What a kernel is asked again and again; MODE names which. Under Linux alone. */
#include "bench.h"

#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* A call that does next to nothing. */
static inline u64 ecall(void)
{
    u64 sum = 0;
    long self = getpid();
    for (int i = 0; i < SIZE(1000000, 100); i++)
        sum += syscall(SYS_getpid) == self;
    return sum;
}

/* The first touch of a page. */
static inline u64 fault(void)
{
    enum { PAGES = 256, PAGE = 4096 };
    u64 sum = 0;
    for (int round = 0; round < SIZE(400, 2); round++) {
        volatile u8 *pages = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (pages == MAP_FAILED)
            return 0;
        for (int i = 0; i < PAGES; i++)
            pages[i * PAGE]++, sum += pages[i * PAGE];
        munmap((void *)pages, PAGES * PAGE);
    }
    return sum;
}

/* Two processes that wake each other through pipes: two switches a round. */
static inline u64 turns(void)
{
    int there[2], back[2];
    u8 byte = 0;
    u64 sum = 0;
    if (pipe(there) || pipe(back))
        return 0;
    pid_t child = fork();
    if (!child) {
        close(there[1]);
        while (read(there[0], &byte, 1) == 1 && ++byte && write(back[1], &byte, 1) == 1)
            ;
        _exit(0);
    }
    for (int i = 0; i < SIZE(40000, 20); i++) {
        byte = (u8)(i % 100);
        if (write(there[1], &byte, 1) != 1 || read(back[0], &byte, 1) != 1)
            return 0;
        sum += byte;
    }
    close(there[1]);
    waitpid(child, NULL, 0);
    return sum;
}

/* A process that begins and ends. */
static inline u64 forks(void)
{
    u64 sum = 0;
    for (int i = 0; i < SIZE(1000, 5); i++) {
        int status = 0;
        pid_t child = fork();
        if (!child)
            _exit(i & 63);
        waitpid(child, &status, 0);
        sum += (u64)WEXITSTATUS(status);
    }
    return sum;
}

u64 bench(void)
{
    return MODE();
}
