/* story: Holds memory in unlinked files on a tmpfs. */
/* usage: tmpfs_bomb [MEBIBYTES=forever [DIRECTORY=/dev/shm]]; exits 3 where a step is refused */
#include "memory_files.h"

static const char *directory = "/dev/shm";

static int open_file(void)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/bomb-XXXXXX", directory);
    int file = mkstemp(path);
    if (file >= 0)
        unlink(path);
    return file;
}

int main(int argc, char **argv)
{
    if (argc > 2)
        directory = argv[2];
    return hold_in_files(open_file, number(argc, argv, 1, FOREVER));
}
