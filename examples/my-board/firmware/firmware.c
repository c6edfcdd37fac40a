// The firmware: says hello, echoes what is typed, counts the timer's interrupts. Enter shows the count, Ctrl-D ends.

#include <stdint.h>

#define REGISTER(address) (*(volatile uint32_t *)(uintptr_t)(address))
#define FINISHER REGISTER(0x100000)
#define PLIC_PRIORITY(source) REGISTER(0xc000000 + 4 * (source))
#define PLIC_ENABLE REGISTER(0xc002000)
#define PLIC_THRESHOLD REGISTER(0xc200000)
#define PLIC_CLAIM REGISTER(0xc200004)
#define UART_DATA REGISTER(0x10000000)
#define UART_STATUS REGISTER(0x10000004)
#define UART_ENABLE REGISTER(0x10000008)
#define TIMER_PERIOD REGISTER(0x10001000)
#define TIMER_STATUS REGISTER(0x10001004)

enum { UART = 1, TIMER = 2 };

static volatile uint32_t ticks;

// The first instruction of the image.
__asm__(".section .start, \"ax\"\n"
        ".globl start\n"
        "start: la sp, stack_top\n"
        "       j main\n");

static void put(char letter)
{
    while (!(UART_STATUS & 2)) {
    }
    UART_DATA = (uint8_t)letter;
}

static void say(const char *text)
{
    while (*text) {
        put(*text++);
    }
}

static void say_number(uint32_t number)
{
    if (number >= 10) {
        say_number(number / 10);
    }
    put((char)('0' + number % 10));
}

static void heard(char letter)
{
    if (letter == '\r') {
        say("\r\nthe timer interrupted ");
        say_number(ticks);
        say(" times\r\n> ");
    } else if (letter == 4) {
        say("bye\r\n");
        FINISHER = 0x5555;
    } else {
        put(letter);
    }
}

__attribute__((interrupt("machine"), aligned(4))) static void trap(void)
{
    uint32_t source;
    while ((source = PLIC_CLAIM) != 0) {
        if (source == TIMER) {
            TIMER_STATUS = 1;
            ticks = ticks + 1;
        }
        while (source == UART && UART_STATUS & 1) {
            heard((char)UART_DATA);
        }
        PLIC_CLAIM = source;
    }
}

void main(void)
{
    ticks = 0;
    say("Hello from a board of your own.\r\n"
        "I echo what you type; Enter shows the timer's count, Ctrl-D ends.\r\n> ");

    __asm__ volatile("csrw mtvec, %0" ::"r"(trap));
    PLIC_PRIORITY(UART) = PLIC_PRIORITY(TIMER) = 1;
    PLIC_ENABLE = 1 << UART | 1 << TIMER;
    PLIC_THRESHOLD = 0;
    UART_ENABLE = 1;
    TIMER_PERIOD = 10000;
    __asm__ volatile("csrs mie, %0\n csrsi mstatus, 8" ::"r"(1 << 11)); // MEIE, and MIE
    for (;;) {
        __asm__ volatile("wfi");
    }
}
