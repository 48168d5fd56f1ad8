/* What every workload shares: `work` does the same each time and returns a sum of what it made. */
#ifndef WORKLOAD_H
#define WORKLOAD_H

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static uint32_t work(void);

/* Numbers that look random and are the same everywhere (Marsaglia 2003, "Xorshift RNGs"). */
static uint32_t seed = 2463534242u;
static uint32_t next_number(void)
{
    seed ^= seed << 13;
    seed ^= seed >> 17;
    seed ^= seed << 5;
    return seed;
}

/* The sum of FNV-1a. */
static uint32_t sum(uint32_t so_far, const void *bytes, size_t len)
{
    const unsigned char *at = bytes;
    while (len--)
        so_far = (so_far ^ *at++) * 16777619u;
    return so_far;
}

int main(void)
{
    char line[16];
    int len = snprintf(line, sizeof line, "%08x\n", (unsigned) work());
    if (write(1, line, (size_t) len) != len)
        return 1;
#ifndef __wasm__
    /* A process of its own says what it used; a module's host knows. */
    struct timespec used;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used) != 0)
        return 1;
    fprintf(stderr, "%lld\n", (long long) used.tv_sec * 1000000000 + used.tv_nsec);
#endif
    return 0;
}

#endif
