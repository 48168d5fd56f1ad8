//! A value of another process, without one.

use std::sync::Arc;

use super::{Forked, Owned};

#[test]
fn a_value_of_another_process_is_refused_and_not_dropped() {
    let value = Arc::new(());
    let own = Owned::new(Arc::clone(&value));
    let foreign = Owned::of(Arc::clone(&value), std::process::id() + 1);
    assert_eq!(own.get(), Ok(&value));
    assert_eq!(foreign.get(), Err(Forked));
    assert_eq!(Arc::strong_count(&value), 3);
    drop((own, foreign));
    assert_eq!(Arc::strong_count(&value), 2, "the other process still has its own");
}
