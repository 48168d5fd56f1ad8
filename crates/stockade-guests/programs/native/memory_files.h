/* Memory held in many small files, because RLIMIT_FSIZE would stop one large file first. */
#ifndef MEMORY_FILES_H
#define MEMORY_FILES_H

#include "../guest.h"

enum { FILE_MEBIBYTES = 16 };

/* Fills files from `open_file` (-1 with errno on refusal) until they hold `goal` mebibytes. */
static inline int hold_in_files(int (*open_file)(void), unsigned long long goal)
{
    unsigned long long held = 0;
    const char *step = "write";
    int file = -1, error = 0;
    while (held < goal && error == 0) {
        if (held % FILE_MEBIBYTES == 0 && (file = open_file()) < 0) {
            step = "open";
            error = errno;
            break;
        }
        unsigned long long written = 0;
        if (write_filler(file, MEBIBYTE, MEBIBYTE, &written) < 0)
            error = errno;
        else
            held++;
    }
    printf("held %llu MiB\n", held);
    return outcome(step, error);
}

#endif
