/* story: Forks without end, in every child. */
/* usage: fork_bomb; exits 2 at once in the host's PID namespace */
#include "host_guard.h"

int main(void)
{
    leave_the_host_alone();
    for (;;)
        fork();
}
