use std::env;
use std::fs;

use rustix::fs::FlockOperation;

use super::{Lock, Store};

#[test]
fn what_a_child_holds_a_copy_of_is_given_back() {
    let path = env::temp_dir().join(format!("stockade-lock-{}", std::process::id()));
    let store = Store::open(&path).expect("a store");
    let lock = Lock::exclusive(&store).expect("it is taken");
    // As a fork would copy it.
    let copy = lock.file.try_clone().expect("a copy");
    drop(lock);
    let again = Lock::take(&store, FlockOperation::NonBlockingLockExclusive);
    again.expect("nobody has it any more");
    drop(copy);
    fs::remove_dir_all(&path).expect("it is the test's own");
}
