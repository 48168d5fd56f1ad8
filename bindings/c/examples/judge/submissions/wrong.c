/* Adds up numbers, as long as the sum is small. */
#include <stdio.h>

int main(void)
{
    unsigned sum = 0;
    int count = 0, number;
    scanf("%d", &count);
    while (count-- > 0 && scanf("%d", &number) == 1)
        sum += (unsigned)number;
    printf("%d\n", (int)sum);
    return 0;
}
