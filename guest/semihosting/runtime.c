/* How the semihosting programs speak. */

#include "semihosting.h"

static word out = ~(word)0;

word size(const char *text)
{
    word n = 0;
    while (text[n])
        n++;
    return n;
}

static void say(const char *bytes, word length)
{
    if (out == ~(word)0) {
        word block[3] = {(word)":tt", 4, 3};
        out = call(SYS_OPEN, block);
    }
    word block[3] = {out, (word)bytes, length};
    call(SYS_WRITE, block);
}

static void words(const char *text)
{
    say(text, size(text));
}

static void number(word value)
{
    char digits[20];
    int at = sizeof digits;
    int negative = (sword)value < 0 && (sword)value > -100;
    if (negative)
        value = -value;
    do {
        digits[--at] = "0123456789abcdef"[value & 15];
        value >>= 4;
    } while (value);
    if (negative)
        digits[--at] = '-';
    say(digits + at, sizeof digits - at);
}

void title(const char *what)
{
    words("== ");
    words(what);
    words("\n");
}

void result(const char *what, word value)
{
    word error = value == ~(word)0 ? call(SYS_ERRNO, 0) : 0;
    words(what);
    words(": ");
    number(value);
    if (error) {
        words(", errno ");
        number(error);
    }
    words("\n");
}

void text(const char *what, const char *bytes, word length)
{
    words(what);
    words(": \"");
    say(bytes, length);
    words("\"\n");
}
