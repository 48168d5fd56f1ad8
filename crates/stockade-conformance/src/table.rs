//! The table of behaviours in the manual.

use std::fmt::Write as _;

use crate::{BEHAVIOURS, Difference};

#[cfg(test)]
mod tests;

/// Every behaviour, with what each kind of program does differently, in Markdown.
pub fn table() -> String {
    let mut table =
        "| about | behaviour | namespace | module | component |\n|---|---|---|---|---|\n"
            .to_owned();
    for behaviour in BEHAVIOURS {
        let same = || "✓".to_owned();
        let (module, component) = match behaviour.difference {
            None => (same(), same()),
            Some(Difference::NativeOnly(why)) => {
                (format!("native only: {why}"), "as a module".into())
            }
            Some(Difference::Differs(how)) => (format!("differs: {how}"), "as a module".into()),
            Some(Difference::ComponentsDiffer(how)) => (same(), format!("differs: {how}")),
        };
        let (area, words) = (behaviour.area, behaviour.words());
        let _ = writeln!(table, "| {area} | {words} | ✓ | {module} | {component} |");
    }
    table
}
