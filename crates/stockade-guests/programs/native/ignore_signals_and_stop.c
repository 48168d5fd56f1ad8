/* story: Ignores every signal it can, leaves a stopped child behind and spins. */
#include "../guest.h"
#include <signal.h>

int main(void)
{
    for (int number = 1; number < NSIG; number++)
        signal(number, SIG_IGN);
    if (fork() == 0)
        for (;;)
            raise(SIGSTOP);
    for (;;) {
    }
}
