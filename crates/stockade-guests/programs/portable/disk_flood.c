/* story: Fills a directory with files of one mebibyte until the disk is full. */
/* usage: disk_flood DIRECTORY [MEBIBYTES=forever]; exits 3 where a step is refused */
#include "../guest.h"

int main(int argc, char **argv)
{
    if (argc < 2)
        misused("disk_flood DIRECTORY [MEBIBYTES]");
    unsigned long long goal = number(argc, argv, 2, FOREVER);
    unsigned long long total = 0, files = 0;
    const char *step = "write";
    int error = 0;
    while (files < goal && error == 0) {
        char path[PATH_MAX];
        snprintf(path, sizeof path, "%s/flood-%llu", argv[1], files);
        int file = open(path, O_WRONLY | O_CREAT | O_TRUNC, 0644);
        if (file < 0) {
            error = errno;
            step = "open";
            break;
        }
        files++;
        unsigned long long written = 0;
        if (write_filler(file, MEBIBYTE, 65536, &written) < 0)
            error = errno;
        total += written;
        close(file);
    }
    printf("wrote %llu bytes in %llu files\n", total, files);
    return outcome(step, error);
}
