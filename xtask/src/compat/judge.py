"""Reads numbers, writes their count, sum, median and the number of primes among them."""

import sys
from collections import Counter
from fractions import Fraction


def is_prime(n):
    return n > 1 and all(n % d for d in range(2, int(n**0.5) + 1))


numbers = sorted(map(int, sys.stdin.read().split()))
primes = Counter(map(is_prime, numbers))[True]
median = Fraction(numbers[(len(numbers) - 1) // 2])
print(len(numbers), sum(numbers), median, primes)
