//! Whether the manual has the list as it is.

use super::*;

#[test]
fn the_manual_has_the_list() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../stockade/src/manual/bundles.md");
    let page = fs::read_to_string(&path).expect("the manual is beside this crate");
    let tables = Bundle::fields_as_markdown();
    let (_, listed) = page.split_once("# The list\n\n").expect("the page has this chapter");
    // The last chapter, so that nothing stands behind it.
    assert_eq!(listed, tables, "the list has changed: put this into {}:\n{tables}", path.display());
}

#[test]
fn the_masks_are_those_of_every_sandbox() {
    let mut covered = stockade_core::MASKED_PATHS;
    covered.sort_unstable();
    let rows = crate::bundle::values::MASKED.iter();
    let honoured = rows.filter(|row| row.treatment == Treatment::Honoured);
    let mut honoured: Vec<&str> = honoured.map(|row| row.name).collect();
    honoured.sort_unstable();
    assert_eq!(honoured, covered);
}
