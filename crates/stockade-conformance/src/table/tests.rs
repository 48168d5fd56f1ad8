use std::{env, fs};

use super::table;

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../stockade/src/manual/conformance.md");
const BEGIN: &str = "<!-- table: written by `cargo xtask table` -->\n";
const END: &str = "<!-- end of the table -->\n";
/// Where this is set, the table is written and not compared.
const WRITE: &str = "STOCKADE_WRITE_TABLE";

#[test]
fn the_table_in_the_manual_is_that_of_the_suite() {
    let page = fs::read_to_string(PAGE).expect("the manual has a page about the suite");
    let (before, rest) = page.split_once(BEGIN).expect("the table has a beginning");
    let (_, after) = rest.split_once(END).expect("the table has an end");
    let current = format!("{before}{BEGIN}\n{}\n{END}{after}", table());
    if env::var_os(WRITE).is_some() {
        fs::write(PAGE, current).expect("the page can be written");
    } else {
        assert!(page == current, "the table is of another list; run: cargo xtask table");
    }
}
