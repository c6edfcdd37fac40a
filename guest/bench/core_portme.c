/* CoreMark on the bare machine: the monitor's start-up, device-tree reader and console, and this instead of its prompt.
 *
 * Time is mtime, instructions are minstret, and the finisher ends the machine: pass, or fail with code 1.
 */
#include "coremark.h"

#include "monitor.h"

#if VALIDATION_RUN
volatile ee_s32 seed1_volatile = 0x3415, seed2_volatile = 0x3415, seed3_volatile = 0x66;
#elif PERFORMANCE_RUN
volatile ee_s32 seed1_volatile = 0, seed2_volatile = 0, seed3_volatile = 0x66;
#else
volatile ee_s32 seed1_volatile = 8, seed2_volatile = 8, seed3_volatile = 8;
#endif
volatile ee_s32 seed4_volatile = ITERATIONS;
volatile ee_s32 seed5_volatile = 0;
ee_u32 default_num_contexts = 1;

int main(void);
void monitor(uxl self, const void *tree);

static u64 started, stopped, retired_before, retired_after;
static bool wrong;

void start_time(void)
{
    retired_before = csr_get(minstret);
    started = now();
}

void stop_time(void)
{
    stopped = now();
    retired_after = csr_get(minstret);
}

CORE_TICKS get_time(void)
{
    return stopped - started;
}

secs_ret time_in_secs(CORE_TICKS ticks)
{
    return (secs_ret)(ticks / machine.timebase);
}

void portable_init(core_portable *p, int *argc, char *argv[])
{
    (void)argc, (void)argv;
    p->portable_id = 1;
}

/* CoreMark's own figures are whole seconds without floating point; these are finer. */
void portable_fini(core_portable *p)
{
    p->portable_id = 0;
    u64 micros = (stopped - started) * 1000000 / machine.timebase, retired = retired_after - retired_before;
    if (!micros)
        micros = 1;
    u64 milli_rate = (u64)ITERATIONS * 1000000000 / micros;
    print("time             : %llu.%06llu s by mtime\n", micros / 1000000, micros % 1000000);
    print("rate             : %llu.%03llu iterations a second\n", milli_rate / 1000, milli_rate % 1000);
    print("instructions     : %llu by minstret, %llu.%llu MIPS\n", retired, retired / micros, retired * 10 / micros % 10);
}

/* CoreMark reports a wrong checksum only as text, so the text decides how the machine ends. */
int ee_printf(const char *format, ...)
{
    va_list arguments;
    for (const char *c = format; *c; c++)
        if (c[0] == 'E' && c[1] == 'R' && c[2] == 'R' && c[3] == 'O')
            wrong = true;
    va_start(arguments, format);
    print_list(format, arguments);
    va_end(arguments);
    return 0;
}

static void everything(void *argument)
{
    (void)argument;
    main();
}

void monitor(uxl self, const void *tree)
{
    machine_discover(tree, self);
    if (!machine.uart || !machine.finisher || !machine.timebase)
        sleep();
    console_start();
    if (guarded(everything, NULL)) {
        wrong = true;
        print("trap: ");
        print_trap(last_trap.cause, last_trap.pc, last_trap.value);
    }
    write32(machine.finisher, wrong ? 1 << 16 | 0x3333 : 0x5555);
    sleep();
}
