/* story: Writes one file of the asked size. */
/* usage: write_file PATH BYTES; prints the bytes it wrote; exits 3 where a step is refused */
#include "../guest.h"

int main(int argc, char **argv)
{
    if (argc != 3)
        misused("write_file PATH BYTES");
    unsigned long long total = number(argc, argv, 2, 0);
    int file = open(argv[1], O_WRONLY | O_CREAT | O_TRUNC, 0644);
    if (file < 0)
        return refused("open");
    unsigned long long written = 0;
    int error = write_filler(file, total, 65536, &written) < 0 ? errno : 0;
    printf("wrote %llu bytes\n", written);
    return outcome("write", error);
}
