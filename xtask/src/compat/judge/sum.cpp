#include <algorithm>
#include <future>
#include <iostream>
#include <iterator>
#include <numeric>
#include <vector>

static bool is_prime(long n) {
    for (long d = 2; d * d <= n; d++)
        if (n % d == 0)
            return false;
    return n > 1;
}

int main() {
    std::ios::sync_with_stdio(false);
    std::vector<long> numbers{std::istream_iterator<long>(std::cin), {}};
    auto primes = std::async(std::launch::async, [copy = numbers] {
        return std::count_if(copy.begin(), copy.end(), is_prime);
    });
    std::sort(numbers.begin(), numbers.end());
    std::cout << numbers.size() << ' ' << std::accumulate(numbers.begin(), numbers.end(), 0L) << ' '
              << numbers[(numbers.size() - 1) / 2] << ' ' << primes.get() << '\n';
}
