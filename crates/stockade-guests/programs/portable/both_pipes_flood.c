/* story: Fills standard output and standard error before it reads any input: a deadlock trap. */
/* usage: both_pipes_flood BYTES; at the end of input prints a line break and the bytes it read */
#include "../guest.h"

int main(int argc, char **argv)
{
    unsigned long long total = number(argc, argv, 1, 0);
    unsigned long long out = 0, err = 0, count = 0;
    if (write_filler(STDOUT_FILENO, total, 4096, &out) < 0)
        return REFUSED;
    if (write_filler(STDERR_FILENO, total, 4096, &err) < 0)
        return REFUSED;

    char buffer[4096];
    ssize_t got;
    while ((got = read(STDIN_FILENO, buffer, sizeof buffer)) > 0)
        count += (unsigned long long)got;
    if (got < 0)
        return refused("read");
    printf("\n%llu\n", count);
    return DONE;
}
