//! Tables of the manual that are written from lists.

use std::fmt::Write as _;
use std::path::Path;
use std::{env, fs};

use crate::{BEHAVIOURS, Difference};

#[cfg(test)]
mod tests;

const BEGIN: &str = "<!-- table: written by `cargo xtask table` -->\n";
const END: &str = "<!-- end of the table -->\n";
/// Where this is set, a table is written and not compared.
const WRITE: &str = "STOCKADE_WRITE_TABLE";

/// Compares the table in `page`, a file name of the manual, with what it should be.
///
/// # Panics
/// If it is another, or the page has no place for one.
pub fn in_manual(page: &str, table: &str) {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../stockade/src/manual");
    let path = Path::new(folder).join(page);
    let page = fs::read_to_string(&path).expect("the manual has such a page");
    let (before, rest) = page.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("the table has an end");
    let current = format!("{before}{BEGIN}\n{table}\n{END}{after}");
    if env::var_os(WRITE).is_some() {
        fs::write(&path, current).expect("the page can be written");
    } else {
        assert!(page == current, "the table is of another list; run: cargo xtask table");
    }
}

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
