/* story: Makes a set-user-ID file, by the mode of open and by chmod, and leaves it there. */
/* usage: setuid_file PATH; exits 0 where the bit is set in the end, 3 where it is not */
#include "../guest.h"
#include <sys/stat.h>

int main(int argc, char **argv)
{
    if (argc != 2)
        misused("setuid_file PATH");
    int file = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 04755);
    outcome("open 04755", file < 0 ? errno : 0);
    if (file < 0)
        file = open(argv[1], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0755);
    if (file < 0)
        return refused("open 0755");
    outcome("chmod", chmod(argv[1], 04755) < 0 ? errno : 0);
    struct stat found;
    if (fstat(file, &found) < 0)
        return refused("fstat");
    return found.st_mode & S_ISUID ? DONE : REFUSED;
}
