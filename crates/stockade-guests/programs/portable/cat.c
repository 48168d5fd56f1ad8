/* story: Prints one file. */
/* usage: cat PATH; exits 3 where the file is refused */
#include "../guest.h"

int main(int argc, char **argv)
{
    if (argc != 2)
        misused("cat PATH");
    int file = open(argv[1], O_RDONLY);
    if (file < 0)
        return refused("open");
    unsigned long long copied = 0;
    return copy_all(file, STDOUT_FILENO, &copied) < 0 ? refused("read") : DONE;
}
