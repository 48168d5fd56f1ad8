/* story: Sends SIGKILL to every process it can reach, and tells if it lives to. */
/* usage: kill_all; exits 3 where the signal is refused, 2 at once in the host's PID namespace */
#include "host_guard.h"
#include <signal.h>

int main(void)
{
    leave_the_host_alone();
    return outcome("kill", kill(-1, SIGKILL) < 0 ? errno : 0);
}
