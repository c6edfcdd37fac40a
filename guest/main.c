/* The monitor of the first hart: find out, introduce, then read and run lines. */
#include "monitor.h"

void monitor(uxl self, const void *tree);

struct start {
    uxl self;
    const void *tree;
};

static void begin(void *argument)
{
    const struct start *s = argument;
    machine_discover(s->tree, s->self);
    if (!machine.uart)
        return;
    console_start();
    machine_introduce();
    print("\nType `help` for the commands.\n");
}

static void one_line(void *unused)
{
    static char line[LINE_SIZE];
    (void)unused;
    print("hartwright> ");
    if (read_line(line, sizeof line))
        run_line(line);
    if (!interrupted)
        return;
    print("^C\n");
    while (take() >= 0)
        ;
    interrupted = false;
}

/* A trap that nobody expected ends the command, not the monitor. */
static void attempt(void (*work)(void *), void *argument)
{
    if (!guarded(work, argument))
        return;
    print("\ntrap: ");
    print_trap(last_trap.cause, last_trap.pc, last_trap.value);
    csr_off(mie, 1ul << IRQ_TIMER);
    if (machine.plic) {
        csr_on(mie, 1ul << IRQ_EXTERNAL);
        csr_on(mstatus, MSTATUS_MIE);
    }
}

void monitor(uxl self, const void *tree)
{
    struct start s = {self, tree};
    attempt(begin, &s);
    if (!machine.uart)
        sleep();
    for (;;)
        attempt(one_line, NULL);
}
