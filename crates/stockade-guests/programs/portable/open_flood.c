/* story: Opens one file until no descriptor is left, and keeps them all. */
/* usage: open_flood [MILLISECONDS=0 [PATH=/dev/null]]; prints how many, sleeps, exits 3 */
#include "../guest.h"

int main(int argc, char **argv)
{
    unsigned long long hold = number(argc, argv, 1, 0);
    const char *path = argc > 2 ? argv[2] : "/dev/null";
    unsigned long long opened = 0;
    while (open(path, O_RDONLY) >= 0)
        opened++;
    int error = errno;
    printf("opened %llu\n", opened);
    int code = outcome("open", error);
    sleep_ms(hold);
    return code;
}
