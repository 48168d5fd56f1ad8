/* story: Prints its place among processes, sessions and terminals. */
/* usage: session; lines pid, ppid, pgid, sid with a number, then "tty: ok" or "tty: ERRNO" */
#include "../guest.h"

int main(void)
{
    printf("pid %d\nppid %d\npgid %d\nsid %d\n", getpid(), getppid(), getpgid(0), getsid(0));
    outcome("tty", open("/dev/tty", O_RDWR | O_NOCTTY) < 0 ? errno : 0);
    return DONE;
}
