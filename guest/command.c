/* The prompt, and the commands that are short. */
#include "monitor.h"

/* ---- words and numbers ---- */

static bool digit_of(char c, u32 base, u32 *digit)
{
    if (c >= '0' && c <= '9')
        *digit = (u32)(c - '0');
    else if ((c | 32) >= 'a' && (c | 32) <= 'f')
        *digit = (u32)((c | 32) - 'a') + 10;
    else
        return false;
    return *digit < base;
}

bool parse_number(const char *word, u64 *value)
{
    u32 base = 10, digit = 0;
    const char *c = word;
    if (c[0] == '0' && (c[1] | 32) == 'x')
        base = 16, c += 2;
    *value = 0;
    bool good = *c != 0, fits = true;
    for (; *c && good; c++) {
        if (*c == '_')
            continue;
        good = digit_of(*c, base, &digit);
        fits = fits && *value <= ((u64)-1 - digit) / base;
        *value = *value * base + digit;
    }
    if (good && fits)
        return true;
    if (good)
        print("`%s` does not fit in 64 bits\n", word);
    else
        print("`%s` is not a number: write 4096 or 0x1000\n", word);
    return false;
}

static bool parse_width(const char *word, u32 *width)
{
    static const char letters[] = "bhwd";
    for (u32 i = 0; i < 4; i++) {
        if (word[0] == letters[i] && !word[1]) {
            *width = 1u << i;
            return true;
        }
    }
    print("`%s` is not a width: b, h, w or d (8, 16, 32, 64 bits)\n", word);
    return false;
}

static bool stopped(void)
{
    if (!machine.plic)
        console_poll();
    return interrupted;
}

/* ---- commands ---- */

static void info_command(int count, char **word)
{
    (void)count, (void)word;
    machine_introduce();
}

/* Words where the address allows it, because many devices answer to nothing else; else bytes. */
static bool fetch(u64 address, u8 *bytes, u32 count)
{
    u64 value;
    if (!(address & 3) && !(count & 3)) {
        u32 at = 0;
        for (; at < count && probe_load(address + at, 4, &value); at += 4)
            for (u32 i = 0; i < 4; i++)
                bytes[at + i] = (u8)(value >> 8 * i);
        if (at == count)
            return true;
    }
    for (u32 at = 0; at < count; at++) {
        if (!probe_load(address + at, 1, &value))
            return false;
        bytes[at] = (u8)value;
    }
    return true;
}

static void md_command(int count, char **word)
{
    static u64 next;
    u64 address = next, length = 128;
    if (count > 1 && !parse_number(word[1], &address))
        return;
    if (count > 2 && !parse_number(word[2], &length))
        return;
    while (length && !stopped()) {
        u8 bytes[16];
        u32 part = length < 16 ? (u32)length : 16;
        if (!fetch(address, bytes, part)) {
            probe_report();
            return;
        }
        print("%0*llx ", XLEN / 4, address);
        for (u32 i = 0; i < 16; i++) {
            if (i < part)
                print("%s%02x", i == 8 ? "  " : " ", bytes[i]);
            else
                print("%s", i == 8 ? "    " : "   ");
        }
        print("  |");
        print_clean((const char *)bytes, part);
        print("|\n");
        address += part;
        length -= part;
    }
    next = address;
}

static void peek_command(int count, char **word)
{
    u64 address, value;
    u32 width = 4;
    if (!parse_number(word[1], &address) || (count > 2 && !parse_width(word[2], &width)))
        return;
    if (probe_load(address, width, &value))
        print("%#llx: %#0*llx\n", address, 2 + 2 * width, value);
    else
        probe_report();
}

static void poke_command(int count, char **word)
{
    u64 address, value;
    u32 width = 4;
    if (!parse_number(word[1], &address) || !parse_number(word[2], &value) || (count > 3 && !parse_width(word[3], &width)))
        return;
    if (width < 8 && value >> 8 * width)
        print("`%s` does not fit in %u bits\n", word[2], 8 * width);
    else if (!probe_store(address, width, value))
        probe_report();
}

static void call_command(int count, char **word)
{
    u64 address, argument = 0;
    if (!parse_number(word[1], &address) || (count > 2 && !parse_number(word[2], &argument)))
        return;
    __asm__ volatile("fence.i" ::: "memory");
    uxl result = ((uxl (*)(uxl))(uxl)address)((uxl)argument);
    print("a0 %#lx\n", result);
}

static void tick_command(int count, char **word)
{
    u64 wanted = 5;
    if (count > 1 && !parse_number(word[1], &wanted))
        return;
    if (!machine.clint || !machine.timebase) {
        print("no timer: the device tree names no CLINT or no timebase-frequency\n");
        return;
    }
    u64 start = now();
    ticks = 0;
    timer_at(start + machine.timebase);
    csr_on(mie, 1ul << IRQ_TIMER);
    csr_on(mstatus, MSTATUS_MIE);
    for (u64 shown = 0; shown < wanted && !stopped();) {
        if (ticks == shown) {
            take(); /* what is typed meanwhile is for nobody */
            idle(shown);
            continue;
        }
        shown++;
        print("tick %llu of %llu, mtime %llu\n", shown, wanted, now());
    }
    csr_off(mie, 1ul << IRQ_TIMER);
    timer_at((u64)-1);
}

/* Binary: Ctrl-C is a byte like the others, and a newline stays one byte. */
static void mirror_command(int count, char **word)
{
    u64 left, pause = 0;
    if (!parse_number(word[1], &left) || (count > 2 && !parse_number(word[2], &pause)))
        return;
    for (pause = pause * machine.timebase / 1000000; left; left--) {
        int byte;
        while ((byte = take()) < 0)
            idle(ticks);
        put_byte((u8)byte);
        for (u64 start = pause ? now() : 0; pause && now() - start < pause;)
            ;
    }
    interrupted = false;
    print("\n");
}

static void echo_command(int count, char **word)
{
    for (int i = 1; i < count; i++)
        print("%s%s", i > 1 ? " " : "", word[i]);
    print("\n");
}

static void finish(u32 value)
{
    if (!machine.finisher) {
        print("the device tree names no sifive,test0 finisher\n");
        return;
    }
    if (!probe_store(machine.finisher, 4, value)) {
        probe_report();
        return;
    }
    for (volatile u32 i = 0; i < 10000000; i++)
        ;
    print("the finisher at %#llx did nothing\n", machine.finisher);
}

static void reset_command(int count, char **word)
{
    (void)count, (void)word;
    finish(0x7777);
}

static void off_command(int count, char **word)
{
    u64 code = 0;
    if (count > 1 && !parse_number(word[1], &code))
        return;
    if (code > 0xffff)
        print("`%s` does not fit in the finisher's 16 bits\n", word[1]);
    else
        finish(code ? (u32)code << 16 | 0x3333 : 0x5555);
}

static void help_command(int count, char **word);

static const struct command {
    char name[7];
    u8 least, most; /* arguments */
    void (*run)(int count, char **word);
    const char *arguments, *summary, *more;
} commands[] = {
    {"help", 0, 1, help_command, "[COMMAND]", "this list, or more about one command", ""},
    {"info", 0, 0, info_command, "", "the machine: model, harts, memory map", ""},
    {"tree", 0, 1, tree_command, "[PATH]", "the device tree as source text", "PATH is a node, as in: tree /soc\n"},
    {"harts", 0, 0, harts_command, "", "ask every hart whether it is there",
     "The other harts sleep in wfi. Each is woken by a software interrupt and must answer.\n"},
    {"md", 0, 2, md_command, "[ADDRESS [BYTES]]", "memory dump",
     "128 bytes unless told; without an address it goes on behind the last dump. 32-bit reads where possible.\n"},
    {"peek", 1, 2, peek_command, "ADDRESS [b|h|w|d]", "read once: 8, 16, 32 or 64 bits", "w (32 bits) unless told.\n"},
    {"poke", 2, 3, poke_command, "ADDRESS VALUE [b|h|w|d]", "write once", "w (32 bits) unless told.\n"},
    {"call", 1, 2, call_command, "ADDRESS [A0]", "call machine code as a function",
     "It gets A0 and returns in a0. A trap ends it and comes back to the prompt.\n"},
    {"regs", 0, 9, regs_command, "[NAME|NUMBER ...]", "general registers and CSRs",
     "General registers are those of the last trap, if there was one. A number names a CSR, as in: regs 0xf14\n"},
    {"tick", 0, 1, tick_command, "[COUNT]", "print a line a second, by timer interrupts", "5 unless told; Ctrl-C stops it.\n"},
    {"bench", 0, 0, bench_command, "", "a second of sieve and CRC: rounds, MIPS",
     "Instructions are counted by minstret, seconds by mtime. The result is checked.\n"},
    {"echo", 0, 15, echo_command, "[WORD ...]", "print the words", ""},
    {"mirror", 1, 2, mirror_command, "COUNT [MICROSECONDS]", "send the next COUNT bytes back as they come",
     "Every byte counts, control keys too. MICROSECONDS is a pause after each: a slow reader.\n"},
    {"reset", 0, 0, reset_command, "", "start the machine again", ""},
    {"off", 0, 1, off_command, "[CODE]", "switch the machine off", "CODE, 0 to 65535, is the exit code; 0 unless told.\n"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void no_such_command(const char *word)
{
    print("no command `%s`", word);
    const char *separator = "; did you mean ";
    for (u32 i = 0; i < COMMANDS; i++) {
        if (distance(word, commands[i].name) > (length_of(commands[i].name) > 3 ? 2 : 1))
            continue;
        print("%s`%s`", separator, commands[i].name);
        separator = " or ";
    }
    print(separator[0] == ';' ? "; `help` lists them\n" : "?\n");
}

static const struct command *find_command(const char *word)
{
    if (same(word, "?"))
        return &commands[0];
    for (u32 i = 0; i < COMMANDS; i++)
        if (same(word, commands[i].name) || (same(word, "dump") && same(commands[i].name, "md")))
            return &commands[i];
    return NULL;
}

static void help_command(int count, char **word)
{
    if (count > 1) {
        const struct command *c = find_command(word[1]);
        if (c)
            print("%s %s\n%s.\n%s", c->name, c->arguments, c->summary, c->more);
        else
            no_such_command(word[1]);
        return;
    }
    for (u32 i = 0; i < COMMANDS; i++)
        print("  %-6s %-24s %s\n", commands[i].name, commands[i].arguments, commands[i].summary);
    print("Numbers are decimal, or hexadecimal with 0x. Ctrl-C stops what takes long; arrow-up brings lines back.\n");
}

void run_line(char *line)
{
    char *word[16];
    int count = 0;
    for (char *c = line; *c;) {
        if (*c == ' ') {
            *c++ = 0;
            continue;
        }
        if (count == 16) {
            print("too many words: 16 at most\n");
            return;
        }
        word[count++] = c;
        while (*c && *c != ' ')
            c++;
    }
    if (!count)
        return;
    const struct command *c = find_command(word[0]);
    if (!c)
        no_such_command(word[0]);
    else if (count - 1 < c->least)
        print("too few words: %s %s\n", c->name, c->arguments);
    else if (count - 1 > c->most)
        print("`%s` is too much: %s %s\n", word[c->most + 1], c->name, c->arguments);
    else
        c->run(count, word);
}
