/* story: Prints its mount table, /proc/self/mountinfo. */
/* usage: mounts; exits 3 where /proc is refused */
#include "../guest.h"

int main(void)
{
    int table = open("/proc/self/mountinfo", O_RDONLY);
    if (table < 0)
        return refused("open");
    unsigned long long copied = 0;
    return copy_all(table, STDOUT_FILENO, &copied) < 0 ? refused("read") : DONE;
}
