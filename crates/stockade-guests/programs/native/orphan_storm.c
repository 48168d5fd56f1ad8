/* story: Makes many orphans in a row and ends while they live. */
/* usage: orphan_storm COUNT [MILLISECONDS=1000]; each orphan sleeps so long; exits 3 on refusal */
#include "../guest.h"
#include <sys/wait.h>

int main(int argc, char **argv)
{
    unsigned long long count = number(argc, argv, 1, 0);
    unsigned long long life = number(argc, argv, 2, 1000);
    unsigned long long orphans = 0;
    int error = 0;
    while (orphans < count && error == 0) {
        pid_t child = fork();
        if (child == 0) {
            pid_t orphan = fork();
            if (orphan == 0)
                sleep_ms(life);
            _exit(orphan < 0 ? errno : 0);
        }
        int status = 0;
        if (child < 0)
            error = errno;
        else if (waitpid(child, &status, 0) == child && WIFEXITED(status))
            error = WEXITSTATUS(status);
        if (error == 0)
            orphans++;
    }
    printf("orphans %llu\n", orphans);
    return outcome("fork", error);
}
