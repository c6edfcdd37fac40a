/* What the programs share. */
#ifndef PROGRAMS_H
#define PROGRAMS_H

#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef uint32_t u32;
typedef uint64_t u64;

void *memset(void *to, int byte, size_t count);
void *memcpy(void *restrict to, const void *restrict from, size_t count);
void say(const char *what, u64 value);
u64 root_fraction(u32 prime, u32 power);
u32 nth_prime(u32 n);
void floats(void);
void atomics(void);

#endif
