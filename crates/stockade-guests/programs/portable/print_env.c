/* story: Prints its environment, one variable a line. */
#include "../guest.h"

extern char **environ;

int main(void)
{
    for (char **variable = environ; variable != NULL && *variable != NULL; variable++)
        puts(*variable);
    return DONE;
}
