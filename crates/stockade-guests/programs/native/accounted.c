/* story: Runs a program and says on standard error what the kernel accounted to it. */
/* usage: accounted PROGRAM [ARG...]; prints microseconds of CPU time and the kibibytes that were
 * resident; exits with the program's status, or 3 where it cannot be executed */
#include "../guest.h"
#include <sys/resource.h>
#include <sys/wait.h>

int main(int argc, char **argv)
{
    if (argc < 2)
        misused("accounted PROGRAM [ARG...]");
    pid_t child = fork();
    if (child < 0)
        return refused("fork");
    if (child == 0) {
        execv(argv[1], argv + 1);
        _exit(REFUSED);
    }
    int status;
    struct rusage usage;
    if (wait4(child, &status, 0, &usage) < 0)
        return refused("wait4");
    long seconds = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    long micros = usage.ru_utime.tv_usec + usage.ru_stime.tv_usec;
    fprintf(stderr, "%ld %ld\n", seconds * 1000000 + micros, usage.ru_maxrss);
    return WIFEXITED(status) ? WEXITSTATUS(status) : FAILED;
}
