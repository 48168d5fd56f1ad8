/* story: Exits with the code it is given. */
/* usage: exit_code CODE */
#include "../guest.h"

int main(int argc, char **argv)
{
    return (int)number(argc, argv, 1, 0);
}
