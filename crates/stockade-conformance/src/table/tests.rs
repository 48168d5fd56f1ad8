use super::{in_manual, table};

#[test]
fn the_table_of_behaviours_is_that_of_the_suite() {
    in_manual("conformance.md", &table());
}
