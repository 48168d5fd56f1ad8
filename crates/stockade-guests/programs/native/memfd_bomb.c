/* story: Holds memory in anonymous files instead of its own pages. */
/* usage: memfd_bomb [MEBIBYTES=forever]; prints what it held; exits 3 where a step is refused */
#include "memory_files.h"
#include <sys/mman.h>

static int open_file(void)
{
    return memfd_create("bomb", MFD_CLOEXEC);
}

int main(int argc, char **argv)
{
    return hold_in_files(open_file, number(argc, argv, 1, FOREVER));
}
