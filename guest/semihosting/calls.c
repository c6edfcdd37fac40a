/* Makes every semihosting call, well and badly, and says what came of it: an emulator's answers, to be compared. */

#include "semihosting.h"

static char file[] = "semihosting.tmp";
static char other[] = "semihosting.other";
static char absent[] = "no/such/file";
static char letters[] = "letters of the host";
static char buffer[256];

/* Where nothing is: below any machine's memory. */
#define NOWHERE ((char *)0x10)

static word open(const char *name, word mode, word length)
{
    word block[3] = {(word)name, mode, length};
    return call(SYS_OPEN, block);
}

static word one(word operation, word handle)
{
    return call(operation, &handle);
}

static word move(word operation, word handle, const void *bytes, word length)
{
    word block[3] = {handle, (word)bytes, length};
    return call(operation, block);
}

static word two(word operation, word first, word second)
{
    word block[2] = {first, second};
    return call(operation, block);
}

static void opening(void)
{
    title("open");
    result("mode 12", open(file, 12, size(file)));
    result("absent", open(absent, 0, size(absent)));
    result("length too short", open(file, 4, size(file) - 1));
    result("name nowhere", open(NOWHERE, 0, 3));
    result("block nowhere", call(SYS_OPEN, NOWHERE));
    result("length 2^31", open(file, 4, (word)1 << 31));
    result("length of all", open(file, 4, ~(word)0));
    result("empty name", open("", 0, 0));
    result("folder, to write", open("/", 4, 1));
    result("tty, mode 12", open(":tt", 12, 3));
    result("features, to write", open(":semihosting-features", 4, 21));
    result("nothing is closed", one(SYS_CLOSE, 99));
    result("nor this", one(SYS_CLOSE, ~(word)0));
    result("block nowhere", call(SYS_CLOSE, NOWHERE));
}

static void files(void)
{
    title("files");
    word handle = open(file, 4, size(file));
    result("written", move(SYS_WRITE, handle, letters, size(letters)));
    result("of no length", move(SYS_WRITE, handle, letters, 0));
    result("from nowhere", move(SYS_WRITE, handle, NOWHERE, 5));
    result("read where only written", move(SYS_READ, handle, buffer, 5));
    result("length", one(SYS_FLEN, handle));
    result("is no terminal", one(SYS_ISTTY, handle));
    result("closed", one(SYS_CLOSE, handle));
    result("closed twice", one(SYS_CLOSE, handle));
    result("write when closed", move(SYS_WRITE, handle, letters, 5));
    result("read when closed", move(SYS_READ, handle, buffer, 5));
    result("length when closed", one(SYS_FLEN, handle));
    result("terminal when closed", one(SYS_ISTTY, handle));
    result("seek when closed", two(SYS_SEEK, handle, 0));

    handle = open(file, 0, size(file));
    result("read", move(SYS_READ, handle, buffer, 7));
    text("bytes", buffer, 7);
    result("more than there is", move(SYS_READ, handle, buffer, 100));
    result("at the end", move(SYS_READ, handle, buffer, 10));
    result("seek", two(SYS_SEEK, handle, 8));
    result("read", move(SYS_READ, handle, buffer, 2));
    text("bytes", buffer, 2);
    result("seek far", two(SYS_SEEK, handle, 1000));
    result("read there", move(SYS_READ, handle, buffer, 2));
    result("seek below", two(SYS_SEEK, handle, sizeof(word) == 8 ? ~(word)0 : 1));
    result("write where only read", move(SYS_WRITE, handle, letters, 5));
    result("block nowhere", call(SYS_READ, NOWHERE));
    result("block nowhere", call(SYS_WRITE, NOWHERE));
    result("block nowhere", call(SYS_SEEK, NOWHERE));
    result("block nowhere", call(SYS_FLEN, NOWHERE));
    result("block nowhere", call(SYS_ISTTY, NOWHERE));
    result("closed", one(SYS_CLOSE, handle));

    handle = open(file, 8, size(file));
    result("appended", move(SYS_WRITE, handle, letters, 3));
    result("length", one(SYS_FLEN, handle));
    result("closed", one(SYS_CLOSE, handle));
    handle = open(file, 3, size(file));
    result("update", move(SYS_WRITE, handle, "LET", 3));
    result("then read", move(SYS_READ, handle, buffer, 4));
    text("bytes", buffer, 4);
    result("closed", one(SYS_CLOSE, handle));

    word block[4] = {(word)file, size(file), (word)other, size(other)};
    result("renamed", call(SYS_RENAME, block));
    result("again", call(SYS_RENAME, block));
    block[2] = (word)NOWHERE;
    result("to nowhere", call(SYS_RENAME, block));
    result("block nowhere", call(SYS_RENAME, NOWHERE));
    result("removed", two(SYS_REMOVE, (word)other, size(other)));
    result("again", two(SYS_REMOVE, (word)other, size(other)));
    result("nowhere", two(SYS_REMOVE, (word)NOWHERE, 4));
    result("length 2^31", two(SYS_REMOVE, (word)other, (word)1 << 31));
    result("block nowhere", call(SYS_REMOVE, NOWHERE));
}

static void features(void)
{
    title("features");
    word handle = open(":semihosting-features", 0, 21);
    result("length", one(SYS_FLEN, handle));
    result("no terminal", one(SYS_ISTTY, handle));
    result("read", move(SYS_READ, handle, buffer, 100));
    text("magic", buffer, 4);
    result("bits", buffer[4]);
    result("at the end", move(SYS_READ, handle, buffer, 100));
    result("seek", two(SYS_SEEK, handle, 3));
    result("read", move(SYS_READ, handle, buffer, 1));
    text("bytes", buffer, 1);
    result("seek to the end", two(SYS_SEEK, handle, 5));
    result("seek beyond", two(SYS_SEEK, handle, 6));
    result("write", move(SYS_WRITE, handle, letters, 1));
    result("closed", one(SYS_CLOSE, handle));
}

static void terminal(void)
{
    title("terminal");
    static const char *const names[] = {"stdin", "stdout", "stderr"};
    for (word mode = 0; mode < 12; mode += 4) {
        word handle = open(":tt", mode, 3);
        word length = one(SYS_FLEN, handle);
        result(names[mode / 4], (sword)handle < 0);
        result("length", length);
        result("seek", two(SYS_SEEK, handle, 0));
        result("terminal", one(SYS_ISTTY, handle));
        if (mode != 0)
            result("written", move(SYS_WRITE, handle, "<a line>\n", 9));
        else {
            result("read", move(SYS_READ, handle, buffer, 4));
            text("bytes", buffer, 4);
        }
        result("closed", one(SYS_CLOSE, handle));
    }
    result("writec", call(SYS_WRITEC, "!"));
    result("write0", call(SYS_WRITE0, "by write0\n"));
    result("writec nowhere", call(SYS_WRITEC, NOWHERE));
    result("write0 nowhere", call(SYS_WRITE0, NOWHERE));
}

static void system_(void)
{
    title("system");
    static char echo[] = "echo from the shell; exit 3";
    result("shell", two(SYS_SYSTEM, (word)echo, size(echo)));
    result("killed", two(SYS_SYSTEM, (word)"kill -9 $$", 10));
    result("nowhere", two(SYS_SYSTEM, (word)NOWHERE, 5));
    result("not ended", two(SYS_SYSTEM, (word)echo, 4));
    result("block nowhere", call(SYS_SYSTEM, NOWHERE));
    result("iserror", one(SYS_ISERROR, ~(word)0));
    result("iserror", one(SYS_ISERROR, 5));
    result("iserror nowhere", call(SYS_ISERROR, NOWHERE));
    word block[3] = {(word)buffer, 7, sizeof buffer};
    result("tmpnam", call(SYS_TMPNAM, block));
    text("begins", buffer, 5);
    text("ends", buffer + size(buffer) - 2, 2);
    block[2] = 4;
    result("tmpnam, too short", call(SYS_TMPNAM, block));
    block[0] = (word)NOWHERE;
    block[2] = 200;
    result("tmpnam nowhere", call(SYS_TMPNAM, block));
    result("block nowhere", call(SYS_TMPNAM, NOWHERE));
    result("clock is small", call(SYS_CLOCK, 0) < 100000);
    result("time is late", call(SYS_TIME, 0) > 1700000000);
    result("ticks a second", call(SYS_TICKFREQ, 0));
    word ticks[2] = {0, 0};
    result("elapsed", call(SYS_ELAPSED, ticks));
    result("some", (ticks[0] | ticks[1]) != 0);
    result("elapsed nowhere", call(SYS_ELAPSED, NOWHERE));
}

static void commandline(void)
{
    title("command line");
    word block[2] = {(word)buffer, sizeof buffer};
    result("asked", call(SYS_GET_CMDLINE, block));
    result("length", block[1]);
    text("is", buffer, size(buffer));
    block[1] = 2;
    result("too short", call(SYS_GET_CMDLINE, block));
    result("length", block[1]);
    block[0] = (word)NOWHERE;
    block[1] = 100;
    result("nowhere", call(SYS_GET_CMDLINE, block));
    result("block nowhere", call(SYS_GET_CMDLINE, NOWHERE));
}

static void heap(void)
{
    extern char _end[];
    title("heap");
    word info[4] = {1, 2, 3, 4};
    word at = (word)info;
    result("asked", call(SYS_HEAPINFO, &at));
    result("heap above us", info[0] >= (word)_end);
    for (int i = 0; i < 4; i++)
        result("field", info[i]);
    at = (word)NOWHERE;
    result("nowhere", call(SYS_HEAPINFO, &at));
    result("block nowhere", call(SYS_HEAPINFO, NOWHERE));
}

static void breakpoints(void)
{
    title("breakpoints");
    result("bare", trapped(1));
    result("another number", trapped(2));
    result("over two pages", trapped(3));
    result("without the first", trapped(4));
    /* 8 is the way back, by an ecall. */
    result("from user mode", trapped(5));
}

void main(void)
{
    word block[2] = {(word)buffer, sizeof buffer};
    buffer[0] = 0;
    call(SYS_GET_CMDLINE, block);
    char *last = buffer + size(buffer);
    while (last > buffer && last[-1] != ' ')
        last--;
    switch (last[0]) {
    case 'e': /* e<digit>: SYS_EXIT with a reason, and a code where there is room for one. */
        block[0] = last[1] == '0' ? 0x20026 : 0x20023;
        block[1] = 7;
        call(SYS_EXIT, sizeof(word) == 8 ? (void *)block : (void *)block[0]);
        break;
    case 'x': /* x<digit>: SYS_EXIT_EXTENDED. */
        block[0] = last[1] == '9' ? 0x20023 : 0x20026;
        block[1] = last[1] - '0';
        call(SYS_EXIT_EXTENDED, block);
        break;
    case 'b':
        call(SYS_EXIT_EXTENDED, NOWHERE);
        break;
    case 'r': /* Needs a console: QEMU waits for ever without a chardev. */
        result("readc", call(SYS_READC, 0));
        result("readc", call(SYS_READC, 0));
        call(SYS_WRITEC, "!");
        call(SYS_WRITE0, "by write0\n");
        block[0] = 0x20026;
        block[1] = 42;
        call(SYS_EXIT_EXTENDED, block);
        break;
    case 'u':
        result("unknown", call(0x99, 0));
        break;
    }
    opening();
    files();
    features();
    system_();
    commandline();
    heap();
    breakpoints();
    terminal();
    block[0] = 0x20026;
    block[1] = 42;
    call(SYS_EXIT_EXTENDED, block);
}
