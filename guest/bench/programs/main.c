/* Runs one program and says its result: through the C library where there is one, else on the machine's UART. */
#include "bench.h"

#if __STDC_HOSTED__
#include <stdio.h>

void say(const char *what, u64 value)
{
    printf("%s %016llx\n", what, (unsigned long long)value);
}
#endif

int main(void)
{
    say("result", bench());
    return 0;
}
