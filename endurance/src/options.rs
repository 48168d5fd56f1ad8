//! [`Options`]: what a program was asked for on its command line; [`Record`]: where it keeps data.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value};

use crate::Failure;

/// Words of the form `--name value`.
#[derive(Debug, Default)]
pub struct Options {
    given: BTreeMap<String, String>,
}

impl Options {
    /// Reads the command line, on which only the names in `known` may be used.
    ///
    /// # Errors
    /// An unknown name, or one without a value.
    pub fn read(known: &[&str]) -> Result<Self, Failure> {
        Self::parse(std::env::args().skip(1), known)
    }

    fn parse(words: impl IntoIterator<Item = String>, known: &[&str]) -> Result<Self, Failure> {
        let mut words = words.into_iter();
        let mut given = BTreeMap::new();
        while let Some(word) = words.next() {
            let name = word.strip_prefix("--").filter(|name| known.contains(name));
            let name = name.ok_or_else(|| format!("{word} is none of --{}", known.join(", --")))?;
            let value = words.next().ok_or_else(|| format!("{word} needs a value"))?;
            given.insert(name.to_owned(), value);
        }
        Ok(Self { given })
    }

    /// A number.
    ///
    /// # Errors
    /// A value that is none.
    pub fn number(&self, name: &str, otherwise: u64) -> Result<u64, Failure> {
        let Some(text) = self.given.get(name) else { return Ok(otherwise) };
        text.parse().map_err(|_| format!("--{name} {text}: not a number").into())
    }

    /// A span of time, such as `10m` or `500ms`.
    ///
    /// # Errors
    /// A value that is none.
    pub fn time(&self, name: &str, otherwise: Duration) -> Result<Duration, Failure> {
        let Some(text) = self.given.get(name) else { return Ok(otherwise) };
        humantime::parse_duration(text).map_err(|error| format!("--{name} {text}: {error}").into())
    }

    /// `--seed`, or one from the clock.
    ///
    /// # Errors
    /// A value that is no number.
    pub fn seed(&self) -> Result<u64, Failure> {
        let clock = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_nanos());
        self.number("seed", clock as u64 & 0xffff_ffff)
    }

    /// The file `--data`, emptied.
    ///
    /// # Errors
    /// It cannot be made.
    pub fn data(&self) -> Result<Record, Failure> {
        let Some(path) = self.given.get("data") else { return Ok(Record { file: None }) };
        let file = File::create(path).map_err(|error| format!("--data {path}: {error}"))?;
        Ok(Record { file: Some(BufWriter::new(file)) })
    }
}

/// A file of lines, each a JSON object; nothing, if it was not asked for.
#[derive(Debug)]
pub struct Record {
    file: Option<BufWriter<File>>,
}

impl Record {
    /// Adds a line.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn add<'a>(
        &mut self,
        values: impl IntoIterator<Item = (&'a str, Value)>,
    ) -> Result<(), Failure> {
        let Some(file) = &mut self.file else { return Ok(()) };
        let line: Map<String, Value> =
            values.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        serde_json::to_writer(&mut *file, &line)?;
        file.write_all(b"\n")?;
        // What was measured is kept, however this program ends.
        Ok(file.flush()?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Options, Failure> {
        Options::parse(line.split_whitespace().map(str::to_owned), &["times", "for"])
    }

    #[test]
    fn options_are_names_with_values() {
        let options = parse("--times 7 --for 10m").expect("both are known");
        assert_eq!(options.number("times", 1).expect("it is a number"), 7);
        let time = options.time("for", Duration::ZERO).expect("it is a time");
        assert_eq!(time, Duration::from_secs(600));
        assert_eq!(options.number("runs", 3).expect("it was not given"), 3);
    }

    #[test]
    fn a_mistyped_option_is_refused() {
        for line in ["--time 7", "times 7", "--times"] {
            assert!(parse(line).is_err(), "{line}");
        }
        let options = parse("--times many --for ever").expect("both are known");
        assert!(options.number("times", 1).is_err());
        assert!(options.time("for", Duration::ZERO).is_err());
    }
}
