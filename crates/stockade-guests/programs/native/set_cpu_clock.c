/* story: Spins until its own CPU clock shows the asked time. */
/* usage: set_cpu_clock MILLISECONDS */
#include "../guest.h"

int main(int argc, char **argv)
{
    unsigned long long goal = number(argc, argv, 1, 0);
    while (clock_ms(CLOCK_PROCESS_CPUTIME_ID) < goal) {
    }
    return DONE;
}
