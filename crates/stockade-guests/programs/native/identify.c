/* story: Says of each path what is there: its kind, its device number, its file system. */
/* usage: identify PATH...; a line each, such as "PATH: char 1:3 on 0x1021994"; links are not followed */
#include "../guest.h"
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/sysmacros.h>

static const char *kind(mode_t mode)
{
    switch (mode & S_IFMT) {
    case S_IFCHR:
        return "char";
    case S_IFBLK:
        return "block";
    case S_IFDIR:
        return "directory";
    case S_IFLNK:
        return "link";
    case S_IFREG:
        return "file";
    default:
        return "other";
    }
}

int main(int argc, char **argv)
{
    for (int index = 1; index < argc; index++) {
        struct stat found;
        struct statfs system;
        int place = open(argv[index], O_PATH | O_NOFOLLOW | O_CLOEXEC);
        if (place < 0 || fstat(place, &found) < 0 || fstatfs(place, &system) < 0) {
            outcome(argv[index], errno);
            continue;
        }
        printf("%s: %s %u:%u on %#lx\n", argv[index], kind(found.st_mode), major(found.st_rdev),
               minor(found.st_rdev), (unsigned long)system.f_type);
        close(place);
    }
    return DONE;
}
