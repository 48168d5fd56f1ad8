use super::caught;
use crate::failure::Failure;

#[test]
fn a_panic_is_a_defect_that_says_where_and_leaves_the_thread_usable() {
    for _ in 0..2 {
        let failure = caught::<()>(|| panic!("no {}", "luck")).expect_err("it panicked");
        let text = failure.to_string();
        // Only the hook that prints nothing knows the place.
        assert!(text.contains("no luck (") && text.contains("tests.rs:"), "{text}");
        assert!(matches!(failure, Failure::Defect(_)));
    }
    assert_eq!(caught(|| Ok(7)).ok(), Some(7));
}
