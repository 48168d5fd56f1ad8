#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>

static int order(const void *a, const void *b) {
    long x = *(const long *)a, y = *(const long *)b;
    return (x > y) - (x < y);
}

static bool is_prime(long n) {
    for (long d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

int main(void) {
    size_t count = 0, room = 0;
    long *numbers = NULL, number, sum = 0, primes = 0;
    while (scanf("%ld", &number) == 1) {
        if (count == room && !(numbers = realloc(numbers, (room = 2 * room + 16) * sizeof number)))
            return 1;
        numbers[count++] = number;
        sum += number;
        primes += is_prime(number);
    }
    qsort(numbers, count, sizeof number, order);
    printf("%zu %ld %ld %ld\n", count, sum, numbers[(count - 1) / 2], primes);
    return 0;
}
