//! Sandboxes wait only where there is memory to spare.

use std::fs;
use std::path::{Path, PathBuf};
use std::thread;

use stockade_conformance::Job;
use stockade_guests as guests;

use crate::alone::alone;
use crate::machine::{expects, is_root, soon, subject};
use crate::warm::{had_waited, start, waiters, warm};

/// A cgroup of version 1 beneath this process's own, with a limit on memory, in which the process is
/// until this is dropped.
struct SmallGroup(PathBuf);

impl SmallGroup {
    fn enter(bytes: u64) -> Option<Self> {
        let own = fs::read_to_string("/proc/self/cgroup").expect("/proc is mounted");
        let own = own.lines().find_map(|line| line.split_once(":memory:"));
        let own = Path::new("/sys/fs/cgroup/memory").join(own?.1.trim_start_matches('/'));
        let dir = own.join(format!("stockade-test-{}", std::process::id()));
        fs::create_dir(&dir).ok()?;
        let group = Self(dir);
        fs::write(group.0.join("memory.limit_in_bytes"), bytes.to_string()).ok()?;
        fs::write(group.0.join("cgroup.procs"), "0").ok()?;
        Some(group)
    }

    fn used(&self) -> u64 {
        let text = fs::read_to_string(self.0.join("memory.usage_in_bytes"));
        text.expect("the group is there").trim().parse().expect("a number")
    }
}

impl Drop for SmallGroup {
    fn drop(&mut self) {
        let above = self.0.parent().map(|above| above.join("cgroup.procs"));
        let left = above.and_then(|above| fs::write(above, "0").ok());
        let gone = left.is_some() && soon(|| fs::remove_dir(&self.0).is_ok());
        assert!(gone || thread::panicking(), "{} stays", self.0.display());
    }
}

#[test]
fn none_waits_while_the_hosts_group_is_full() {
    const LIMIT: u64 = 256 << 20;
    // Half of what is little for this group.
    const LEFT: u64 = LIMIT / 16;
    if subject().is_none() || !is_root() {
        return;
    }
    alone(module_path!(), "none_waits_while_the_hosts_group_is_full", || {
        let Some(group) = SmallGroup::enter(LIMIT) else {
            expects("memory_v1", "this process may make no group of version 1 for memory");
            return;
        };
        let subject = subject().expect("it was there before");
        let prepared = Job::new(&subject, &guests::HELLO).prepare();
        warm(&subject, &*prepared, 4);
        let len = LIMIT - LEFT - group.used();
        let held = vec![1u8; usize::try_from(len).expect("it fits")];
        assert!(soon(|| waiters(&subject).is_empty()), "{} are used", group.used());
        assert!(start(&*prepared).verdict.success());
        assert_eq!(waiters(&subject), Vec::<u32>::new());
        assert_eq!(held.last(), Some(&1));
        drop(held);
        assert!(soon(|| waiters(&subject).len() == 4), "{} are used", group.used());
        assert!(had_waited(&start(&*prepared)));
        drop((prepared, subject));
        drop(group);
    });
}
