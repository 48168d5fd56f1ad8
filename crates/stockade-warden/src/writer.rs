//! Writing what [`crate::wire`] reads; only the host does.

use crate::wire::plan::{HEADER, NUMBERS, Number, SECTIONS, Section};
use crate::wire::request::VERSION;

/// Bytes in the wire's format, growing.
#[derive(Debug, Default)]
pub struct Writer {
    bytes: Vec<u8>,
}

impl Writer {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// A 32-bit number.
    pub fn u32(&mut self, value: u32) -> &mut Self {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// A 64-bit number.
    pub fn u64(&mut self, value: u64) -> &mut Self {
        self.bytes.extend(value.to_le_bytes());
        self
    }

    /// Bytes behind their length.
    ///
    /// # Panics
    /// If there are 4 GiB or more.
    pub fn bytes(&mut self, bytes: &[u8]) -> &mut Self {
        self.u32(u32::try_from(bytes.len()).expect("a record is far below 4 GiB"));
        self.bytes.extend(bytes);
        self
    }

    /// A string and its NUL. The caller has checked that it holds no other.
    pub fn c_str(&mut self, text: &[u8]) -> &mut Self {
        let len = u32::try_from(text.len() + 1).expect("a string is far below 4 GiB");
        self.u32(len);
        self.bytes.extend(text);
        self.bytes.push(0);
        self
    }

    /// All that was written.
    pub fn finish(self) -> Vec<u8> {
        self.bytes
    }
}

/// A plan in the making.
#[derive(Debug)]
pub struct PlanWriter {
    numbers: [u64; NUMBERS],
    sections: [Vec<u8>; SECTIONS],
}

impl PlanWriter {
    /// A plan of the current version with nothing in it.
    pub fn new() -> Self {
        let mut numbers = [0; NUMBERS];
        numbers[Number::Version as usize] = VERSION;
        Self { numbers, sections: Default::default() }
    }

    /// Sets a number of the header.
    pub fn number(&mut self, number: Number, value: u64) -> &mut Self {
        self.numbers[number as usize] = value;
        self
    }

    /// Sets a section's bytes.
    pub fn section(&mut self, section: Section, bytes: Vec<u8>) -> &mut Self {
        self.sections[section as usize] = bytes;
        self
    }

    /// The plan's bytes.
    pub fn finish(self) -> Vec<u8> {
        let mut offset = HEADER;
        let mut bytes = Vec::new();
        for number in self.numbers {
            bytes.extend(number.to_le_bytes());
        }
        for section in &self.sections {
            bytes.extend((offset as u64).to_le_bytes());
            bytes.extend((section.len() as u64).to_le_bytes());
            offset += section.len();
        }
        self.sections.iter().for_each(|section| bytes.extend(section));
        bytes
    }
}

impl Default for PlanWriter {
    fn default() -> Self {
        Self::new()
    }
}
