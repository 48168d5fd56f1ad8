/* story: Fills page tables and nothing else, by reading where nothing was ever written. */
/* usage: page_table_bomb MEBIBYTES; prints what it made; exits 3 where a mapping is refused */
#include "../guest.h"
#include <sys/mman.h>

/* What one page of the lowest table maps, where pages have 4 KiB. */
#define REACH ((size_t)2 << 20)
#define STRETCH ((size_t)1 << 36)

int main(int argc, char **argv)
{
    unsigned long long goal = number(argc, argv, 1, 64) * (MEBIBYTE / 4096);
    unsigned long long made = 0;
    while (made < goal) {
        volatile char *block = mmap(NULL, STRETCH, PROT_READ,
                                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
        if (block == MAP_FAILED)
            return refused("mmap");
        madvise((void *)block, STRETCH, MADV_NOHUGEPAGE);
        for (size_t at = 0; at < STRETCH && made < goal; at += REACH, made++)
            (void)block[at];
    }
    printf("made %llu pages\n", made);
    return DONE;
}
