// Two harts count, trap and touch memory: something for a debugger to look at.
volatile long counter[2];
volatile long traps;

__attribute__((naked, section(".start"))) void _start(void)
{
    asm("la sp, stack\n csrr a0, mhartid\n slli t0, a0, 12\n add sp, sp, t0\n"
        "la t0, handler\n csrw mtvec, t0\n call work");
}

__attribute__((interrupt("machine"), aligned(4))) void handler(void)
{
    long pc;
    asm volatile("csrr %0, mepc" : "=r"(pc));
    asm volatile("csrw mepc, %0" : : "r"(pc + 4));
    traps++;
}

__attribute__((noinline)) void count(long hart)
{
    counter[hart] += 1;
}

void work(long hart)
{
    for (;;) {
        count(hart);
        asm volatile("ecall");
    }
}

asm(".bss\n .balign 16\n .skip 4096\n stack: .skip 8192\n .text");
