/* story: Pushes input into the terminal it was started from, also with a disguised command. */
/* usage: tiocsti; exits 0 where any injection worked, 3 where all were refused */
#include "../guest.h"
#include <sys/ioctl.h>
#include <sys/syscall.h>

int main(void)
{
    /* The kernel reads 32 bits of the command: a filter on all 64 misses the high ones. */
    const struct {
        const char *name;
        unsigned long command;
        char argument[2];
    } tries[] = {
        {"TIOCSTI", TIOCSTI, "x"},
        {"TIOCSTI high", TIOCSTI | 1UL << 32, "x"},
        {"TIOCLINUX", TIOCLINUX, {3}},
        {"TIOCLINUX high", TIOCLINUX | 1UL << 32, {3}},
    };
    int code = REFUSED;
    for (int fd = 0; fd <= 2; fd++)
        for (size_t index = 0; index < sizeof tries / sizeof *tries; index++) {
            char step[48], argument[2];
            memcpy(argument, tries[index].argument, sizeof argument);
            long result = syscall(SYS_ioctl, fd, tries[index].command, argument);
            int error = result < 0 ? errno : 0;
            snprintf(step, sizeof step, "fd %d %s", fd, tries[index].name);
            if (outcome(step, error) == DONE)
                code = DONE;
        }
    return code;
}
