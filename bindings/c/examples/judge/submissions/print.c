/* Has more to say than there is room for. */
#include <stdio.h>

int main(void)
{
    for (;;)
        puts("All work and no play makes Jack a dull boy.");
}
