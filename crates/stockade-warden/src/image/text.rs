//! Numbers as text, both ways, without a heap.

/// A short byte string in the making. What does not fit is dropped, and `finish` then gives none.
pub struct Text<const N: usize> {
    bytes: [u8; N],
    len: usize,
    overflow: bool,
}

impl<const N: usize> Text<N> {
    pub const fn new() -> Self {
        Self { bytes: [0; N], len: 0, overflow: false }
    }

    pub fn push(mut self, text: &[u8]) -> Self {
        match self.bytes.get_mut(self.len..self.len + text.len()) {
            Some(room) => {
                room.copy_from_slice(text);
                self.len += text.len();
            }
            None => self.overflow = true,
        }
        self
    }

    pub fn number(self, value: u64) -> Self {
        let mut digits = [0u8; 20];
        let mut at = digits.len();
        let mut rest = value;
        loop {
            at -= 1;
            digits[at] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                break;
            }
        }
        self.push(&digits[at..])
    }

    /// The text; empty if it did not fit.
    pub fn bytes(&self) -> &[u8] {
        if self.overflow { &[] } else { &self.bytes[..self.len] }
    }
}

/// Reads a decimal number at the start of `text`, after blanks. `max` is the largest number.
pub fn number(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii_start();
    if text.starts_with(b"max") {
        return Some(u64::MAX);
    }
    let mut value: Option<u64> = None;
    for digit in text.iter().take_while(|byte| byte.is_ascii_digit()) {
        let next = value.unwrap_or(0).saturating_mul(10).saturating_add(u64::from(digit - b'0'));
        value = Some(next);
    }
    value
}

/// The number behind `key` in lines of the form `key value`; with an empty key, the first number.
pub fn value(text: &[u8], key: &[u8]) -> Option<u64> {
    if key.is_empty() {
        return number(text);
    }
    text.split(|byte| *byte == b'\n').find_map(|line| {
        let rest = line.strip_prefix(key)?;
        matches!(rest.first(), Some(b' ' | b':' | b'\t')).then(|| number(&rest[1..]))?
    })
}
