/* story: Lists the descriptors it was born with, and where each leads. */
/* usage: list_fds; a line "NUMBER TARGET" each; exits 3 where /proc is refused */
#include "../guest.h"
#include <dirent.h>

int main(void)
{
    DIR *directory = opendir("/proc/self/fd");
    if (directory == NULL)
        return refused("opendir");
    struct dirent *entry;
    while ((entry = readdir(directory)) != NULL) {
        char target[PATH_MAX];
        if (entry->d_name[0] == '.' || atoi(entry->d_name) == dirfd(directory))
            continue;
        ssize_t length = readlinkat(dirfd(directory), entry->d_name, target, sizeof target);
        printf("%s %.*s\n", entry->d_name, length < 0 ? 0 : (int)length, target);
    }
    return DONE;
}
