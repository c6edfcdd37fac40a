// Mappings: shared, private, moved, cut, grown, beyond a file's end; code that is written and changed.
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ipc.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAGE = 4096 };
static sigjmp_buf back;
static volatile int seen, code;
static void jump(int signal, siginfo_t *info, void *context) {
    seen = signal;
    code = info->si_code;
    siglongjmp(back, 1);
}
static const char *touch(volatile char *at, int write) {
    static char text[64];
    seen = 0;
    if (!sigsetjmp(back, 1)) {
        if (write) *at = 1;
        else (void)*at;
    }
    sprintf(text, seen ? "signal %d code %d" : "fine", seen, code);
    return text;
}
static void *anonymous(size_t len, int flags) {
    return mmap(0, len, PROT_READ | PROT_WRITE, MAP_ANONYMOUS | flags, -1, 0);
}
// addi a0, zero, n; ret
static void emit(uint32_t *at, int n) {
    at[0] = 0x00000513 | n << 20;
    at[1] = 0x00008067;
}
static int run(void *at) { return ((int (*)(void))at)(); }

int main(void) {
    struct sigaction action = {.sa_sigaction = jump, .sa_flags = SA_SIGINFO};
    sigaction(SIGSEGV, &action, 0);
    sigaction(SIGBUS, &action, 0);

    int fd = memfd_create("file", 0);
    ftruncate(fd, 3 * PAGE);
    char *shared = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    char *private = mmap(0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    strcpy(shared + PAGE, "shared");
    char text[16] = {0};
    pread(fd, text, 6, PAGE);
    printf("the file has '%s', the private mapping '%s'\n", text, private + PAGE);
    strcpy(private + PAGE, "private");
    printf("now shared '%s', private '%s'\n", shared + PAGE, private + PAGE);
    pid_t child = fork();
    if (!child) {
        strcpy(shared, "child");
        strcpy(private, "unseen");
        _exit(0);
    }
    waitpid(child, 0, 0);
    printf("after a child: '%s' '%s'\n", shared, private);

    // Beyond the end of a file.
    char *beyond = mmap(0, 8 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    printf("last page: %s; ", touch(beyond + 3 * PAGE - 1, 0));
    printf("next: %s; ", touch(beyond + 3 * PAGE, 0));
    printf("store: %s\n", touch(beyond + 4 * PAGE, 1));
    ftruncate(fd, 5 * PAGE);
    printf("grown: %s\n", touch(beyond + 4 * PAGE, 1));

    // Holes and permissions.
    char *area = anonymous(8 * PAGE, MAP_PRIVATE);
    munmap(area + 2 * PAGE, PAGE);
    mprotect(area + 4 * PAGE, PAGE, PROT_NONE);
    mprotect(area + 5 * PAGE, PAGE, PROT_READ);
    for (int i = 1; i < 7; i++) {
        printf("page %d: load %s, ", i, touch(area + i * PAGE, 0));
        printf("store %s\n", touch(area + i * PAGE, 1));
    }
    printf("write(2) from a hole: %zd %s\n", write(fd, area + 2 * PAGE, 10), strerror(errno));
    printf("read(2) into read-only: %zd %s\n", pread(fd, area + 5 * PAGE, 10, 0), strerror(errno));
    printf("protect a hole: %d %s\n", mprotect(area, 8 * PAGE, PROT_READ), strerror(errno));
    printf("advise a hole: %d %s\n", madvise(area, 8 * PAGE, MADV_NORMAL), strerror(errno));
    printf("misaligned: %d %s\n", munmap(area + 1, PAGE), strerror(errno));
    printf("no length: %d %s\n", mmap(0, 0, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED,
           strerror(errno));
    void *taken = mmap(area, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    printf("no replacing: %d %s\n", taken == MAP_FAILED, strerror(errno));

    // Moving and growing.
    char *small = anonymous(PAGE, MAP_PRIVATE);
    strcpy(small, "moved");
    char *large = mremap(small, PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    large[63 * PAGE] = 1;
    printf("grown: '%s' %d\n", large, large[63 * PAGE]);
    char *place = anonymous(4 * PAGE, MAP_PRIVATE);
    char *moved = mremap(large, 64 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, place);
    printf("moved: %d '%s', old place %s\n", moved == place, moved, touch(large, 0));
    char *wide = mremap(shared, 3 * PAGE, 5 * PAGE, MREMAP_MAYMOVE);
    strcpy(wide + 4 * PAGE, "wide");
    pread(fd, text, 5, 4 * PAGE);
    printf("shared and wide: '%s' '%s'\n", wide, text);
    printf("dropped: ");
    madvise(moved, PAGE, MADV_DONTNEED);
    printf("%d\n", moved[0]);

    char *heap = sbrk(0);
    printf("brk: %d ", sbrk(3 * PAGE) == heap);
    heap[3 * PAGE - 1] = 1;
    printf("%d, ", sbrk(-2 * PAGE) == heap + 3 * PAGE);
    printf("beyond: %s\n", touch((char *)((uintptr_t)(heap + 3 * PAGE) & -PAGE) - 1, 1));

    // System V.
    int id = shmget(IPC_PRIVATE, 2 * PAGE, IPC_CREAT | 0600);
    char *one = shmat(id, 0, 0), *two = shmat(id, 0, SHM_RDONLY);
    strcpy(one, "attached");
    printf("twice: '%s'; store: %s\n", two, touch(two, 1));
    struct shmid_ds segment;
    shmctl(id, IPC_STAT, &segment);
    printf("size %zu, attached %lu\n", segment.shm_segsz, segment.shm_nattch);
    printf("detached: %d, then %s; ", shmdt(two), touch(two, 0));
    printf("again: %d %s\n", shmdt(two), strerror(errno));
    shmctl(id, IPC_RMID, 0);

    // Code.
    uint32_t *room = mmap(0, PAGE, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    int sum = 0;
    for (int i = 0; i < 100; i++) {
        emit(room, i);
        __builtin___clear_cache((char *)room, (char *)(room + 2));
        sum += run(room);
    }
    printf("changing code: %d\n", sum);
    for (int i = 0; i < 10; i++) {
        void *again = mmap(room, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
        emit(again, i);
        mprotect(again, PAGE, PROT_READ | PROT_EXEC);
        sum += run(again);
    }
    printf("replaced code: %d\n", sum);
    int code_fd = memfd_create("code", 0);
    ftruncate(code_fd, PAGE);
    uint32_t *writable = mmap(0, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, code_fd, 0);
    void *runnable = mmap(0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, code_fd, 0);
    for (int i = 0; i < 10; i++) {
        emit(writable, i);
        __builtin___clear_cache(runnable, (char *)runnable + 8);
        sum += run(runnable);
    }
    printf("code seen twice: %d\n", sum);
    struct iovec from = {"gather", 6}, to = {text, 6};
    printf("copied within: %zd\n", process_vm_readv(getpid(), &to, 1, &from, 1, 0));
    return 0;
}
