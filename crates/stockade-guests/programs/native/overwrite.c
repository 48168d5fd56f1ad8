/* story: Writes a word to each path, as far as it can be opened. */
/* usage: overwrite PATH...; what is at a path is not made, emptied or waited for */
#include "../guest.h"

int main(int argc, char **argv)
{
    for (int index = 1; index < argc; index++) {
        int file = open(argv[index], O_WRONLY | O_NONBLOCK | O_CLOEXEC);
        int written = file >= 0 && write(file, "overwritten\n", 12) == 12;
        outcome(argv[index], written ? 0 : errno);
        if (file >= 0)
            close(file);
    }
    return DONE;
}
