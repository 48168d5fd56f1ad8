/* story: Takes anonymous memory, one touched mebibyte after the other. */
/* usage: memory_bomb [MEBIBYTES=forever]; prints what it held; exits 3 where malloc is refused */
#include "../guest.h"

int main(int argc, char **argv)
{
    unsigned long long goal = number(argc, argv, 1, FOREVER);
    unsigned long long held = 0;
    for (; held < goal; held++) {
        void *block = malloc(MEBIBYTE);
        if (block == NULL) {
            int error = errno;
            printf("held %llu MiB\n", held);
            return outcome("malloc", error);
        }
        touch(block, MEBIBYTE);
    }
    printf("held %llu MiB\n", held);
    return DONE;
}
