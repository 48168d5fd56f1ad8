/* Never comes to an end, unless there is nothing to add. */
#include <stdio.h>

int main(void)
{
    int count = 0;
    scanf("%d", &count);
    if (count != 0)
        for (;;) {
        }
    puts("0");
    return 0;
}
