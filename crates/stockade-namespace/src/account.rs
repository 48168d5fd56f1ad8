//! [`Account`]: what a run's board says.

use stockade_warden::wire::board::{WORDS, Word};

/// The account of a run: its board, as it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Account {
    words: [u64; WORDS],
}

impl Account {
    /// Reads the words as the warden on the same machine wrote them.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut words = [0; WORDS];
        for (word, chunk) in words.iter_mut().zip(bytes.chunks_exact(8)) {
            *word = u64::from_ne_bytes(chunk.try_into().unwrap_or_default());
        }
        Self { words }
    }

    /// What stands in a word.
    pub(crate) fn get(&self, word: Word) -> u64 {
        self.words[word as usize]
    }

    /// CPU time of all tasks, in nanoseconds.
    pub(crate) fn cpu_ns(&self) -> u64 {
        self.get(Word::UserNs).saturating_add(self.get(Word::SystemNs))
    }
}

#[cfg(test)]
impl Account {
    pub(crate) fn of(entries: &[(Word, u64)]) -> Self {
        let mut words = [0; WORDS];
        entries.iter().for_each(|(word, value)| words[*word as usize] = *value);
        Self { words }
    }
}
