/* story: Prints its privileges as the kernel tells them in /proc/self/status. */
/* usage: status; exits 3 where /proc is refused */
#include "../guest.h"

static const char *const keys[] = {
    "Uid:",    "Gid:",    "Groups:", "NSpid:",  "CapInh:",     "CapPrm:",
    "CapEff:", "CapBnd:", "CapAmb:", "Seccomp:", "NoNewPrivs:",
};

int main(void)
{
    FILE *status = fopen("/proc/self/status", "re");
    if (status == NULL)
        return refused("open");
    char line[4096];
    while (fgets(line, sizeof line, status) != NULL)
        for (size_t index = 0; index < sizeof keys / sizeof *keys; index++)
            if (strncmp(line, keys[index], strlen(keys[index])) == 0)
                fputs(line, stdout);
    return DONE;
}
