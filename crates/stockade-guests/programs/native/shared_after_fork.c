/* story: Holds memory, forks children that share all of it, and lets everybody wait. */
/* usage: shared_after_fork MEBIBYTES CHILDREN MILLISECONDS; exits 3 where a fork is refused */
#include "../guest.h"
#include <sys/wait.h>

int main(int argc, char **argv)
{
    if (argc != 4)
        misused("shared_after_fork MEBIBYTES CHILDREN MILLISECONDS");
    size_t size = (size_t)number(argc, argv, 1, 0) * MEBIBYTE;
    unsigned long long children = number(argc, argv, 2, 0);
    unsigned long long pause = number(argc, argv, 3, 0);
    void *block = malloc(size);
    if (block == NULL)
        return refused("malloc");
    touch(block, size);
    for (; children > 0; children--) {
        pid_t child = fork();
        if (child < 0)
            return refused("fork");
        if (child == 0) {
            sleep_ms(pause);
            _exit(DONE);
        }
    }
    while (wait(NULL) > 0) {
    }
    printf("done\n");
    return DONE;
}
