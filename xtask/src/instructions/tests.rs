use super::summary;
use super::table::{Table, Toolchain};
use std::collections::BTreeMap;
use std::fs;

fn toolchain() -> Toolchain {
    let [arch, rustc, libc] = ["x86_64", "rustc 1.95.0", "glibc 2.36"].map(str::to_owned);
    Toolchain { arch, rustc, libc }
}

fn counts(entries: &[(&str, u64)]) -> BTreeMap<String, u64> {
    entries.iter().map(|(name, count)| ((*name).to_owned(), *count)).collect()
}

#[test]
fn a_count_may_be_a_twentieth_off_either_way() {
    let table = Table { toolchain: toolchain(), counts: counts(&[("run", 1000)]) };
    let is_fine = |count| table.compare(&counts(&[("run", count)])).is_ok();
    assert_eq!([949, 950, 1000, 1050, 1051].map(is_fine), [false, true, true, true, false]);
    let reason = table.compare(&counts(&[("run", 2000)])).expect_err("it is twice as much");
    assert!(reason.contains("run") && reason.contains("--bless"), "{reason}");
}

#[test]
fn a_path_that_is_not_in_both_is_an_error() {
    let table = Table { toolchain: toolchain(), counts: counts(&[("run", 1000)]) };
    assert!(table.compare(&counts(&[])).is_err());
    assert!(table.compare(&counts(&[("run", 1000), ("new", 10)])).is_err());
}

#[test]
fn counts_of_another_toolchain_are_not_compared() {
    let mut other = toolchain();
    assert_eq!(toolchain().differs(&other), None);
    other.libc = "glibc 2.41".to_owned();
    let reason = toolchain().differs(&other).expect("it is another one");
    assert!(reason.contains("2.36") && reason.contains("2.41"), "{reason}");
}

#[test]
fn a_table_is_read_as_it_was_written() {
    let table = Table { toolchain: toolchain(), counts: counts(&[("a", 1), ("b", 2)]) };
    let file = std::env::temp_dir().join(format!("stockade-counts-{}.json", std::process::id()));
    table.write(&file).expect("the folder is writable");
    let read = Table::read(&file);
    fs::remove_file(&file).expect("it is ours");
    assert_eq!(read, Ok(table));
}

#[test]
fn the_total_is_at_the_end_of_what_callgrind_writes() {
    assert_eq!(summary("events: Ir\nsummary: 7\nfn=(1)\n1 7\ntotals: 9\n"), Some(9));
    assert_eq!(summary("events: Ir\n"), None);
}
