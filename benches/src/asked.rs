//! [`Asked`]: which parts of a benchmark are wanted, and how often each is repeated.

use std::fmt;

use crate::Failure;

/// `[--n N] [PART…]`.
#[derive(Debug)]
pub struct Asked {
    n: Option<usize>,
    parts: Vec<String>,
}

/// A part of a benchmark: its name, how often it is repeated unless somebody says otherwise, and itself.
pub type Part<'a> = (&'a str, usize, &'a dyn Fn(usize) -> Result<(), Failure>);

/// What a part needs and this machine lacks.
#[derive(Debug)]
pub struct Missing(pub String);

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Missing {}

impl Asked {
    /// Reads arguments.
    ///
    /// # Errors
    /// When `--n` has no number.
    pub fn of(arguments: impl IntoIterator<Item = String>) -> Result<Self, Failure> {
        let mut asked = Self { n: None, parts: Vec::new() };
        let mut arguments = arguments.into_iter();
        while let Some(argument) = arguments.next() {
            if argument != "--n" {
                asked.parts.push(argument);
                continue;
            }
            let number = arguments.next().and_then(|number| number.parse().ok());
            asked.n = Some(number.filter(|n| *n > 0).ok_or("--n wants how often")?);
        }
        Ok(asked)
    }

    /// Does the parts that are wanted, which is all if none is named. One that lacks something is skipped,
    /// and says what; others are done whatever becomes of it.
    ///
    /// # Errors
    /// When a part is not known, before any is done; else when one failed.
    pub fn run(&self, parts: &[Part<'_>]) -> Result<(), Failure> {
        let names: Vec<&str> = parts.iter().map(|(name, ..)| *name).collect();
        if let Some(unknown) = self.parts.iter().find(|part| !names.contains(&part.as_str())) {
            return Err(format!("there is no part {unknown:?}; there are {names:?}").into());
        }
        let mut failed = Vec::new();
        for (name, usual, work) in parts {
            if !self.parts.is_empty() && !self.parts.iter().any(|part| part == name) {
                continue;
            }
            match work(self.n.unwrap_or(*usual)) {
                Ok(()) => {}
                Err(failure) if failure.is::<Missing>() => {
                    say(&format!("{name}: skipped: {failure}"))
                }
                Err(failure) => {
                    say(&format!("{name}: {failure}"));
                    failed.push(*name);
                }
            }
        }
        if failed.is_empty() { Ok(()) } else { Err(format!("failed: {failed:?}").into()) }
    }
}

#[expect(clippy::print_stdout, reason = "a benchmark says what it did not measure")]
fn say(what: &str) {
    println!("\n{what}");
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    fn asked(words: &[&str]) -> Result<Asked, Failure> {
        Asked::of(words.iter().map(|word| (*word).to_owned()))
    }

    #[test]
    fn all_parts_are_done_unless_some_are_named_and_a_number_is_for_each() {
        let done = RefCell::new(Vec::new());
        let one = |n| {
            done.borrow_mut().push(("one", n));
            Ok(())
        };
        let two = |n| {
            done.borrow_mut().push(("two", n));
            Ok(())
        };
        let parts: [Part<'_>; 2] = [("one", 10, &one), ("two", 20, &two)];
        for (words, expected) in [
            (&[][..], &[("one", 10), ("two", 20)][..]),
            (&["two"], &[("two", 20)]),
            (&["--n", "3", "two"], &[("two", 3)]),
            (&["--n", "3"], &[("one", 3), ("two", 3)]),
        ] {
            asked(words).and_then(|asked| asked.run(&parts)).expect("they go well");
            assert_eq!(done.take(), expected);
        }
        for words in [&["three"][..], &["one", "three"]] {
            let failure = asked(words).and_then(|asked| asked.run(&parts)).expect_err("unknown");
            assert!(failure.to_string().contains("\"three\""), "{failure}");
            assert_eq!(done.take(), []);
        }
        for words in [&["--n"][..], &["--n", "many"], &["--n", "0"]] {
            asked(words).expect_err("no number");
        }
    }

    #[test]
    fn what_is_missing_is_no_failure_and_a_failure_does_not_keep_others_from_being_done() {
        let missing = |_| Err(Missing("no peer".to_owned()).into());
        let broken = |_| Err("broken".into());
        let done = RefCell::new(0);
        let fine = |n| {
            *done.borrow_mut() += n;
            Ok(())
        };
        let run = |parts: &[Part<'_>]| asked(&[])?.run(parts);
        run(&[("missing", 1, &missing), ("fine", 1, &fine)]).expect("it is only missing");
        let failure = run(&[("broken", 1, &broken), ("fine", 1, &fine)]).expect_err("it is broken");
        assert_eq!((failure.to_string().as_str(), done.take()), ("failed: [\"broken\"]", 2));
    }
}
