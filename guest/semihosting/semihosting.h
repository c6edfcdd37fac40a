/* What the semihosting programs share: the calls' numbers, the call itself, and words about what came of it. */

#define SYS_OPEN          0x01
#define SYS_CLOSE         0x02
#define SYS_WRITEC        0x03
#define SYS_WRITE0        0x04
#define SYS_WRITE         0x05
#define SYS_READ          0x06
#define SYS_READC         0x07
#define SYS_ISERROR       0x08
#define SYS_ISTTY         0x09
#define SYS_SEEK          0x0a
#define SYS_FLEN          0x0c
#define SYS_TMPNAM        0x0d
#define SYS_REMOVE        0x0e
#define SYS_RENAME        0x0f
#define SYS_CLOCK         0x10
#define SYS_TIME          0x11
#define SYS_SYSTEM        0x12
#define SYS_ERRNO         0x13
#define SYS_GET_CMDLINE   0x15
#define SYS_HEAPINFO      0x16
#define SYS_EXIT          0x18
#define SYS_EXIT_EXTENDED 0x20
#define SYS_ELAPSED       0x30
#define SYS_TICKFREQ      0x31

typedef unsigned long word;
typedef long sword;

/* Makes a call. */
word call(word operation, const void *block);
/* The `mcause` with which one of start.S's breakpoints trapped; 0 if it did not. */
word trapped(word which);

word size(const char *text);
/* A line each on the host's standard output. */
void title(const char *what);
/* With the call's error, if the result is -1. */
void result(const char *what, word value);
void text(const char *what, const char *bytes, word length);
