/* Leaves the work to a child. */
#include <unistd.h>

int main(void)
{
    if (fork() == 0)
        pause();
    pause();
    return 0;
}
