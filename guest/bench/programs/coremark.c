/* CoreMark as one of these programs: its checksums are the result, and what else it reports is dropped. EEMBC's sources
 * are not here (see ../README.md): core_main.c is found by -I, the others are given to build.sh besides. */
#include "bench.h"

#include <stdarg.h>

#define FLAGS_STR ""
#define PERFORMANCE_RUN 1
#define main coremark
#include "core_main.c"

volatile ee_s32 seed1_volatile = 0, seed2_volatile = 0, seed3_volatile = 0x66;
volatile ee_s32 seed4_volatile = SIZE(3000, 10), seed5_volatile = 0;
ee_u32 default_num_contexts = 1;

static u64 sum;
static int wrong;

/* Checksums come as "[%d]crc... : 0x%04x", what is wrong with "ERROR". */
int ee_printf(const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    if (format[0] == '[' && format[4] == 'c') {
        sum = sum * 31 + (u64)va_arg(arguments, int);
        sum = sum * 31 + va_arg(arguments, u32);
    }
    va_end(arguments);
    for (; *format; format++)
        wrong |= format[0] == 'E' && format[1] == 'R' && format[2] == 'R';
    return 0;
}

void start_time(void)
{
}

void stop_time(void)
{
}

CORE_TICKS get_time(void)
{
    return 1;
}

secs_ret time_in_secs(CORE_TICKS ticks)
{
    return (secs_ret)ticks;
}

void portable_init(core_portable *p, int *argc, char *argv[])
{
    (void)argc, (void)argv;
    p->portable_id = 1;
}

void portable_fini(core_portable *p)
{
    p->portable_id = 0;
}

u64 bench(void)
{
    coremark();
    return wrong ? 0 : sum;
}
