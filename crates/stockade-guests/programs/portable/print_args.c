/* story: Prints its arguments, one a line, without its own name. */
#include "../guest.h"

int main(int argc, char **argv)
{
    for (int index = 1; index < argc; index++)
        puts(argv[index]);
    return DONE;
}
