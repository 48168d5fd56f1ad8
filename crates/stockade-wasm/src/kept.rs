//! [`Kept`]: values used recently, bounded by their number and their size.

/// Most values that are kept.
const MAX_COUNT: usize = 128;
/// Most bytes they may have together; the newest is kept whatever its size.
const MAX_SIZE: usize = 512 << 20;

/// Values by key. The one used last is at the end.
pub(crate) struct Kept<K, V>(Vec<(K, V, usize)>);

impl<K, V> Default for Kept<K, V> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<K: PartialEq, V: Clone> Kept<K, V> {
    /// The value, which is now the one used last.
    pub(crate) fn get(&mut self, key: &K) -> Option<V> {
        let at = self.0.iter().position(|(kept, ..)| kept == key)?;
        self.0[at..].rotate_left(1);
        self.0.last().map(|(_, value, _)| value.clone())
    }

    /// Keeps a value of this size, and lets go of those unused for longest.
    pub(crate) fn insert(&mut self, key: K, value: V, size: usize) {
        self.0.retain(|(kept, ..)| *kept != key);
        self.0.push((key, value, size));
        let mut room = MAX_SIZE;
        let newest = self.0.iter().rev().enumerate().take_while(|(index, (.., size))| {
            let fits = *index == 0 || *size <= room && *index < MAX_COUNT;
            room = room.saturating_sub(*size);
            fits
        });
        let newest = newest.count();
        self.0.drain(..self.0.len() - newest);
    }
}

#[cfg(test)]
mod tests;
