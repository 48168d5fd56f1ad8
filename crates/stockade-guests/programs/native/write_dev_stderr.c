/* story: Reopens /dev/stdout and /dev/stderr by name and writes a line to each. */
/* usage: write_dev_stderr; exits 3 where either is refused */
#include "../guest.h"

static int say(const char *path, const char *line)
{
    unsigned long long written = 0;
    int file = open(path, O_WRONLY | O_CLOEXEC);
    if (file < 0 || write_all(file, line, strlen(line), &written) < 0)
        return refused(path);
    return DONE;
}

int main(void)
{
    int out = say("/dev/stdout", "to stdout\n");
    int err = say("/dev/stderr", "to stderr\n");
    return out == DONE && err == DONE ? DONE : REFUSED;
}
