// What a program is given: arguments, environment, auxiliary vector, streams; and what it gives back.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/utsname.h>
#include <unistd.h>

int main(int argc, char **argv, char **envp) {
    for (int i = 1; i < argc; i++) printf("arg %d: %s\n", i, argv[i]);
    printf("GREETING=%s\n", getenv("GREETING"));
    printf("page %lu, clock ticks %lu, entry %s\n", getauxval(AT_PAGESZ), getauxval(AT_CLKTCK),
           getauxval(AT_ENTRY) ? "told" : "untold");
    printf("headers %lu of %lu bytes\n", getauxval(AT_PHNUM), getauxval(AT_PHENT));
    printf("imafdc %lx\n", getauxval(AT_HWCAP) & 0x112d);
    printf("file name %s\n", strrchr((char *)getauxval(AT_EXECFN), '/'));
    struct utsname name;
    uname(&name);
    printf("%s %s\n", name.sysname, name.machine);
    char exe[4096] = {0};
    readlink("/proc/self/exe", exe, sizeof exe - 1);
    printf("exe %s\n", strrchr(exe, '/'));
    char line[64];
    while (fgets(line, sizeof line, stdin)) printf("read %s", line);
    double x = strtod("1.5", 0);
    printf("%.17g %a\n", x / 3, x / 3);
    fflush(stdout);
    return 42;
}
