//! A run's board in shared memory.

use core::sync::atomic::{AtomicU64, Ordering};

use crate::sys::{self, Errno, Fd, Result};
use crate::wire::board::{Space, Step, Stop, WORDS, Word};
use crate::wire::plan::{Number, Plan};
use crate::wire::request::VERSION;

/// One run's board. Copies refer to the same words.
#[derive(Clone, Copy)]
pub struct Board {
    words: &'static [AtomicU64],
}

impl Board {
    /// Board number `index` of the shared region.
    pub fn at(region: &'static [AtomicU64], index: usize) -> Self {
        Self { words: region.get(index * WORDS..(index + 1) * WORDS).unwrap_or(&[]) }
    }

    /// Wipes it for a new run.
    pub fn reset(self) {
        for word in self.words {
            word.store(0, Ordering::Relaxed);
        }
        self.set(Word::Version, VERSION);
    }

    pub fn set(self, word: Word, value: u64) {
        self.set_index(word as usize, value);
    }

    /// Sets the word with this index, which may come from a plan; out of range does nothing.
    pub fn set_index(self, index: usize, value: u64) {
        if let Some(word) = self.words.get(index) {
            word.store(value, Ordering::Relaxed);
        }
    }

    pub fn get(self, word: Word) -> u64 {
        self.words.get(word as usize).map_or(0, |word| word.load(Ordering::Relaxed))
    }

    pub fn raise(self, word: Word, value: u64) {
        if value > self.get(word) {
            self.set(word, value);
        }
    }

    /// Says which step comes next.
    pub fn begin(self, step: Step) {
        self.set(Word::Item, 0);
        self.set(Word::Step, step as u64);
    }

    pub fn item(self, index: usize) {
        self.set(Word::Item, index as u64);
    }

    pub fn stamp(self, word: Word) {
        self.set(word, sys::now());
    }

    /// Notes that a namespace is the sandbox's own.
    pub fn own_space(self, space: Space) {
        self.set(Word::ReadSpaces, self.get(Word::ReadSpaces) | 1 << space as u32);
    }

    /// Notes why the run was stopped. The first reason stands.
    pub fn stop(self, reason: Stop, observed: u64) -> bool {
        let Some(word) = self.words.get(Word::Stop as usize) else { return false };
        let first = word.compare_exchange(0, reason as u64, Ordering::AcqRel, Ordering::Relaxed);
        if first.is_ok() {
            self.set(Word::Observed, observed);
        }
        first.is_ok()
    }

    /// Notes CPU time as `wait4` has it; where a cgroup has counted the sum, only its division.
    pub fn cpu_times(self, user_ns: u64, system_ns: u64) {
        let counted = self.get(Word::UserNs);
        if self.get(Word::SystemNs) != 0 {
            return;
        }
        let sum = user_ns.saturating_add(system_ns);
        if counted == 0 {
            self.set(Word::UserNs, user_ns);
            self.set(Word::SystemNs, system_ns);
        } else if sum != 0 {
            let system = u128::from(counted) * u128::from(system_ns) / u128::from(sum);
            self.set(Word::SystemNs, system as u64);
            self.set(Word::UserNs, counted - system as u64);
        }
    }

    /// Notes the largest resident size of any process, as `wait4` has it, where no cgroup has
    /// counted the memory of all.
    pub fn resident(self, plan: Plan<'_>, bytes: u64) {
        if plan.number(Number::SampleMemory) != 0 || self.get(Word::PeakMemory) == 0 {
            self.raise(Word::PeakMemory, bytes);
        }
    }

    pub fn stopped(self) -> bool {
        self.get(Word::Stop) != Stop::None as u64
    }

    /// Notes that the current step failed.
    pub fn fail(self, errno: Errno) {
        if self.get(Word::Errno) == 0 {
            self.set(Word::Errno, errno.0 as u64);
        }
    }

    pub fn failed(self) -> bool {
        self.get(Word::Errno) != 0
    }

    /// Sends the board to the host, once.
    pub fn report(self, socket: Fd) {
        if self.get(Word::Reported) != 0 {
            return;
        }
        let mut words = [0u64; WORDS];
        for (copy, word) in words.iter_mut().zip(self.words) {
            *copy = word.load(Ordering::Relaxed);
        }
        let _ = sys::send_words(socket, &words);
        self.set(Word::Reported, 1);
    }
}

/// Notes a failure on the board; what a step of a sandbox's own process ends with.
pub fn attempt<T>(board: Board, result: Result<T>) -> Option<T> {
    match result {
        Ok(value) => Some(value),
        Err(errno) => {
            board.fail(errno);
            None
        }
    }
}
