/* story: Makes one system call by number and says what came back. */
/* usage: try_syscall NUMBER [UP TO 6 ARGUMENTS]; prints "RESULT ERRNO", numbers; exits 3 on -1 */
#include "../guest.h"

int main(int argc, char **argv)
{
    if (argc < 2 || argc > 8)
        misused("try_syscall NUMBER [UP TO 6 ARGUMENTS]");
    long call = (long)number(argc, argv, 1, 0);
    long given[6];
    for (int index = 0; index < 6; index++)
        given[index] = (long)number(argc, argv, index + 2, 0);
    errno = 0;
    long result = syscall(call, given[0], given[1], given[2], given[3], given[4], given[5]);
    printf("%ld %d\n", result, errno);
    return result == -1 ? REFUSED : DONE;
}
