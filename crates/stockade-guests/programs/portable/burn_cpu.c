/* story: Uses the CPU for a span of time and says by which clock: its own CPU time, or the wall's. */
/* usage: burn_cpu MILLISECONDS; prints "cpu" or "wall" */
#include "../guest.h"

int main(int argc, char **argv)
{
    clockid_t clock = CLOCK_MONOTONIC;
    const char *name = "wall";
#ifdef CLOCK_PROCESS_CPUTIME_ID
    /* A component has no such clock, and some C libraries do not know it. */
    struct timespec now;
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0) {
        clock = CLOCK_PROCESS_CPUTIME_ID;
        name = "cpu";
    }
#endif
    unsigned long long end = clock_ms(clock) + number(argc, argv, 1, 0);
    while (clock_ms(clock) < end) {
    }
    puts(name);
    return DONE;
}
