/* story: Grows a sparse file past RLIMIT_FSIZE and lets SIGXFSZ kill it. */
/* usage: big_file PATH [BYTES=1 TiB]; needs next to no disk; exits 3 where a write is refused */
#include "../guest.h"

int main(int argc, char **argv)
{
    if (argc < 2)
        misused("big_file PATH [BYTES]");
    unsigned long long goal = number(argc, argv, 2, 1ULL << 40);
    int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0)
        return refused("open");
    for (unsigned long long size = 4096; size < goal; size *= 2)
        if (pwrite(file, "x", 1, (off_t)size - 1) < 0)
            return refused("pwrite");
    if (goal > 0 && pwrite(file, "x", 1, (off_t)goal - 1) < 0)
        return refused("pwrite");
    return outcome("pwrite", 0);
}
