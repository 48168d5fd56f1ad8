/* story: Forks waiting children until the kernel refuses, and counts who is alive. */
/* usage: fork_count [CHILDREN=forever]; prints the live tasks, itself included; exits 3 if refused */
#include "../guest.h"
#include <sys/wait.h>

int main(int argc, char **argv)
{
    unsigned long long goal = number(argc, argv, 1, FOREVER);
    /* The children wait for the end of this pipe, so none outlives its parent. */
    int gate[2];
    if (pipe(gate) < 0)
        return refused("pipe");

    unsigned long long children = 0;
    int error = 0;
    while (children < goal && error == 0) {
        pid_t child = fork();
        if (child == 0) {
            char byte;
            close(gate[1]);
            _exit(read(gate[0], &byte, 1) == 0 ? DONE : FAILED);
        }
        if (child < 0)
            error = errno;
        else
            children++;
    }
    printf("tasks %llu\n", children + 1);
    int code = outcome("fork", error);
    close(gate[1]);
    while (wait(NULL) > 0) {
    }
    return code;
}
