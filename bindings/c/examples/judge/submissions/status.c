/* Has the right answer, and fails. */
#include <stdio.h>

int main(void)
{
    puts("6");
    return 3;
}
