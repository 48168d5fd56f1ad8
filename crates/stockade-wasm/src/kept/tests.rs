use super::{Kept, MAX_COUNT, MAX_SIZE};

#[test]
fn what_was_used_last_outlives_what_was_kept_later() {
    let mut kept = Kept::default();
    kept.insert("runtime", 0, MAX_SIZE / 2);
    for number in 1..2 * MAX_COUNT {
        assert_eq!(kept.get(&"runtime"), Some(0), "after {number}");
        kept.insert("small", number, 1);
        kept.insert(Box::leak(number.to_string().into_boxed_str()), number, 1);
    }
    assert_eq!(kept.0.len(), MAX_COUNT);
    assert_eq!(kept.get(&"1"), None);
}

#[test]
fn what_is_unused_for_longest_makes_room_for_large_values() {
    let mut kept = Kept::default();
    kept.insert(1, 'a', MAX_SIZE / 2);
    kept.insert(2, 'b', MAX_SIZE / 2);
    kept.insert(3, 'c', 1);
    assert_eq!(kept.get(&1), None);
    assert_eq!(kept.get(&2), Some('b'));
    kept.insert(4, 'd', MAX_SIZE + 1);
    assert_eq!((kept.get(&2), kept.get(&4)), (None, Some('d')));
    kept.insert(5, 'e', 1);
    assert_eq!((kept.get(&4), kept.get(&5)), (None, Some('e')));
}

#[test]
fn a_key_kept_again_has_the_new_value_once() {
    let mut kept = Kept::default();
    kept.insert(1, 'a', 1);
    kept.insert(1, 'b', 1);
    assert_eq!((kept.get(&1), kept.0.len()), (Some('b'), 1));
}
