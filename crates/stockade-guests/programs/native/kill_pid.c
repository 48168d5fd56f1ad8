/* story: Signals one process by its id. */
/* usage: kill_pid PID [SIGNAL=9]; exits 3 where it is refused */
#include "../guest.h"
#include <signal.h>

int main(int argc, char **argv)
{
    /* 0 would mean this process group, which is kill_all's business. */
    pid_t target = (pid_t)number(argc, argv, 1, 0);
    if (target <= 0)
        misused("kill_pid PID [SIGNAL]");
    int signal = (int)number(argc, argv, 2, SIGKILL);
    return outcome("kill", kill(target, signal) < 0 ? errno : 0);
}
