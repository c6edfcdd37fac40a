/* A program of ISO C, for a C library that calls the host. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void files(const char *name)
{
    char line[80];
    FILE *file = fopen(name, "w");
    if (!file) {
        printf("cannot write %s: %s\n", name, strerror(errno));
        exit(2);
    }
    for (int i = 0; i < 1000; i++)
        fprintf(file, "line %d of a file on the host\n", i);
    printf("at %ld\n", ftell(file));
    fclose(file);
    file = fopen(name, "r");
    fseek(file, -6, SEEK_END);
    printf("%s", fgets(line, sizeof line, file));
    rewind(file);
    int lines = 0;
    unsigned sum = 0;
    while (fgets(line, sizeof line, file)) {
        lines++;
        for (char *at = line; *at; at++)
            sum = sum * 31 + (unsigned char)*at;
    }
    printf("%d lines, %u\n", lines, sum);
    fclose(file);
    printf("remove: %d\n", remove(name));
    printf("again: %d\n", remove(name));
    printf("absent: %d\n", fopen(name, "r") == NULL);
}

int main(int argc, char **argv)
{
    printf("Hello, %s of %d words\n", argc > 1 ? argv[1] : "nobody", argc);
    files("hosted.tmp");
    char *heap = malloc(100000);
    memset(heap, 7, 100000);
    printf("heap %d\n", heap[99999]);
    char line[80];
    if (fgets(line, sizeof line, stdin))
        printf("typed: %s", line);
    fprintf(stderr, "to standard error\n");
    printf("pi is about %.4f\n", 355.0 / 113);
    return argc;
}
