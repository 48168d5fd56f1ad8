/* story: Lists the process ids it can see in /proc, one a line. */
/* usage: list_processes; exits 3 where /proc is refused */
#include "../guest.h"
#include <ctype.h>
#include <dirent.h>

int main(void)
{
    DIR *directory = opendir("/proc");
    if (directory == NULL)
        return refused("opendir");
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL)
        if (isdigit((unsigned char)entry->d_name[0]))
            puts(entry->d_name);
    return DONE;
}
