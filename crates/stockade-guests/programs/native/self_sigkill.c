/* story: Kills itself with SIGKILL, as a limit would. */
#include "../guest.h"
#include <signal.h>

int main(void)
{
    kill(getpid(), SIGKILL);
    return FAILED;
}
