/* story: Copies standard input to standard output until the end of file. */
/* usage: echo_stdin; exits 1 where a stream fails */
#include "../guest.h"

int main(void)
{
    unsigned long long copied = 0;
    if (copy_all(STDIN_FILENO, STDOUT_FILENO, &copied) < 0)
        return FAILED;
    return DONE;
}
