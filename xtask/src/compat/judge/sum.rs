use std::collections::HashMap;
use std::io::Read;
use std::thread;

fn is_prime(n: i64) -> bool {
    n > 1 && (2..).take_while(|d| d * d <= n).all(|d| n % d != 0)
}

fn main() {
    let mut text = String::new();
    std::io::stdin().read_to_string(&mut text).expect("the input is text");
    let words = text.split_whitespace();
    let mut numbers: Vec<i64> = words.map(|word| word.parse().expect("a number")).collect();
    let copy = numbers.clone();
    let primes = thread::spawn(move || {
        let mut found = HashMap::new();
        for number in copy {
            *found.entry(is_prime(number)).or_insert(0) += 1;
        }
        found.get(&true).copied().unwrap_or(0)
    });
    numbers.sort_unstable();
    let (count, sum) = (numbers.len(), numbers.iter().sum::<i64>());
    let primes = primes.join().expect("no panic");
    println!("{count} {sum} {} {primes}", numbers[(count - 1) / 2]);
}
