// Threads: making, joining, cancelling, waiting, and memory that they share.
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 8, ROUNDS = 20000 };
static atomic_long counter;
static long guarded;
static __thread long own;
static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static pthread_barrier_t barrier;
static sem_t semaphore;
static int turn;

static void *count(void *argument) {
    long id = (long)argument;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_fetch_add(&counter, 1);
        own += id;
        if (i % 16 == 0) {
            pthread_mutex_lock(&mutex);
            guarded++;
            pthread_mutex_unlock(&mutex);
        }
    }
    pthread_barrier_wait(&barrier);
    return (void *)own;
}
static void *take_turns(void *argument) {
    long id = (long)argument;
    for (int i = 0; i < 100; i++) {
        pthread_mutex_lock(&mutex);
        while (turn % THREADS != id) pthread_cond_wait(&changed, &mutex);
        turn++;
        pthread_cond_broadcast(&changed);
        pthread_mutex_unlock(&mutex);
    }
    return 0;
}
static void *maps(void *argument) {
    for (int i = 0; i < 200; i++) {
        char *at = mmap(0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        memset(at, (long)argument, 65536);
        if (at[65535] != (long)argument || at[1] != at[2]) return (void *)1;
        mprotect(at, 4096, PROT_READ);
        munmap(at, 65536);
    }
    return 0;
}
static void *sleeps(void *argument) {
    for (;;) sleep(100);
}
static atomic_int handled;
static void handler(int signal) { atomic_fetch_add(&handled, 1); }
static void *works(void *argument) {
    while (atomic_load(&handled) < 100) sched_yield();
    sem_post(&semaphore);
    return 0;
}

int main(void) {
    pthread_t threads[THREADS];
    void *result;
    pthread_barrier_init(&barrier, 0, THREADS);
    for (long i = 0; i < THREADS; i++) pthread_create(threads + i, 0, count, (void *)i);
    for (long i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        printf("thread %ld: %ld\n", i, (long)result);
    }
    printf("counted %ld, guarded %ld\n", atomic_load(&counter), guarded);
    for (long i = 0; i < THREADS; i++) pthread_create(threads + i, 0, take_turns, (void *)i);
    for (long i = 0; i < THREADS; i++) pthread_join(threads[i], 0);
    printf("turns %d\n", turn);
    for (long i = 0; i < THREADS; i++) pthread_create(threads + i, 0, maps, (void *)i);
    long bad = 0;
    for (long i = 0; i < THREADS; i++) {
        pthread_join(threads[i], &result);
        bad += (long)result;
    }
    printf("maps: %ld bad\n", bad);

    pthread_create(threads, 0, sleeps, 0);
    usleep(10000);
    pthread_cancel(threads[0]);
    pthread_join(threads[0], &result);
    printf("cancelled %d\n", result == PTHREAD_CANCELED);

    signal(SIGUSR1, handler);
    sem_init(&semaphore, 0, 0);
    pthread_create(threads, 0, works, 0);
    for (int i = 0; i < 100; i++) {
        pthread_kill(threads[0], SIGUSR1);
        while (atomic_load(&handled) <= i) sched_yield();
    }
    while (sem_wait(&semaphore) < 0) {}
    pthread_join(threads[0], 0);
    printf("handled %d\n", handled);

    struct timespec soon;
    clock_gettime(CLOCK_REALTIME, &soon);
    soon.tv_nsec += 10000000;
    if (soon.tv_nsec >= 1000000000) soon.tv_nsec -= 1000000000, soon.tv_sec++;
    pthread_mutex_lock(&mutex);
    printf("timed wait: %s\n", strerror(pthread_cond_timedwait(&changed, &mutex, &soon)));
    pthread_mutex_unlock(&mutex);

    // A fork among threads: the child has one.
    pthread_create(threads, 0, sleeps, 0);
    fflush(stdout);
    pid_t child = fork();
    if (!child) {
        char *at = malloc(1 << 20);
        memset(at, 1, 1 << 20);
        pthread_create(threads, 0, maps, (void *)1);
        pthread_join(threads[0], &result);
        _exit(getpid() == syscall(SYS_gettid) ? 5 : 6);
    }
    int status;
    waitpid(child, &status, 0);
    printf("child of a fork: %d\n", WEXITSTATUS(status));
    // The process ends with all its threads.
    return 7;
}
