/* story: Ends at once, but leaves a grandchild in its own session that holds the output pipes. */
/* usage: grandchild_holds_pipe [SECONDS=1000]; prints "parent done" */
#include "../guest.h"
#include <sys/wait.h>

int main(int argc, char **argv)
{
    unsigned long long seconds = number(argc, argv, 1, 1000);
    pid_t child = fork();
    if (child < 0)
        return refused("fork");
    if (child == 0) {
        setsid();
        if (fork() == 0)
            sleep_ms(seconds * 1000);
        _exit(DONE);
    }
    waitpid(child, NULL, 0);
    puts("parent done");
    return DONE;
}
