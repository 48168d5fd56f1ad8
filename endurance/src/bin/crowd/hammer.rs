//! Threads that keep the allocator's locks taken.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use stockade_endurance::Random;

/// Blocks held at once.
const HELD: usize = 64;

/// Allocates, resizes and frees blocks of all sizes until `over`.
pub(crate) fn swing(over: &AtomicBool, seed: u64, number: u64) {
    let mut random = Random::new(seed, u64::MAX - number);
    let mut held: Vec<Vec<u8>> = vec![Vec::new(); HELD];
    while !over.load(Ordering::Relaxed) {
        for _ in 0..2000 {
            // From a few bytes to more than the allocator takes from the kernel each time.
            let size = 1 << random.below(19);
            let place = &mut held[random.any() as usize % HELD];
            if random.below(2) == 0 {
                *place = vec![number as u8; size];
            } else {
                place.resize(size, number as u8);
            }
        }
        // Others want a turn too.
        thread::sleep(Duration::from_millis(1));
    }
    drop(held);
}
