//! What a host has to give, read from trees of files.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::{env, fs, io, process};

use crate::batch::Capacity;
use crate::batch::host::available_memory;

const MIB: u64 = 1 << 20;

/// A tree of files that is removed with this value.
struct Tree(PathBuf);

impl Tree {
    fn new(files: &[(&str, &str)]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let root = env::temp_dir().join(format!("stockade-batch-{}-{count}", process::id()));
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a directory")).expect("a fresh directory");
            fs::write(path, text).expect("a fresh file");
        }
        Self(root)
    }

    fn memory(&self) -> u64 {
        available_memory(&self.0).expect("a host")
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        let _: io::Result<()> = fs::remove_dir_all(&self.0);
    }
}

const MEMINFO: (&str, &str) =
    ("proc/meminfo", "MemTotal:  4194304 kB\nMemFree:  1024 kB\nMemAvailable:   1048576 kB\n");
const UNIFIED: (&str, &str) =
    ("proc/self/mountinfo", "30 1 0:26 / /sys/fs/cgroup rw shared:4 - cgroup2 cgroup2 rw\n");

#[test]
fn without_groups_it_is_what_the_kernel_says() {
    assert_eq!(Tree::new(&[MEMINFO]).memory(), 1024 * MIB);
}

#[test]
fn a_host_that_does_not_say_is_an_error() {
    let odd = Tree::new(&[("proc/meminfo", "MemFree: 7 kB\n")]);
    assert!(available_memory(&odd.0).is_err());
    assert!(available_memory(Path::new("/no/such/root")).is_err());
}

#[test]
fn a_group_of_version_2_bounds_it_by_what_it_leaves() {
    let tree = Tree::new(&[
        MEMINFO,
        UNIFIED,
        ("proc/self/cgroup", "0::/a/b\n"),
        ("sys/fs/cgroup/a/b/memory.max", "536870912\n"),
        ("sys/fs/cgroup/a/b/memory.current", "134217728\n"),
        // Half of what it holds would be given back.
        ("sys/fs/cgroup/a/b/memory.stat", "anon 1\ninactive_file 67108864\nactive_file 5\n"),
    ]);
    assert_eq!(tree.memory(), (512 - 128 + 64) * MIB);
}

#[test]
fn a_group_above_bounds_it_as_well() {
    let tree = Tree::new(&[
        MEMINFO,
        UNIFIED,
        ("proc/self/cgroup", "0::/a/b\n"),
        ("sys/fs/cgroup/a/b/memory.max", "max\n"),
        ("sys/fs/cgroup/a/memory.max", "268435456\n"),
        ("sys/fs/cgroup/a/memory.current", "1048576\n"),
    ]);
    assert_eq!(tree.memory(), 255 * MIB);
}

#[test]
fn a_group_of_version_1_is_found_by_its_controller() {
    let tree = Tree::new(&[
        MEMINFO,
        (
            "proc/self/mountinfo",
            "31 1 0:30 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n\
             32 1 0:31 /box /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n",
        ),
        ("proc/self/cgroup", "4:memory:/box/job\n1:cpu:/\n0::/\n"),
        ("sys/fs/cgroup/memory/job/memory.limit_in_bytes", "104857600\n"),
        ("sys/fs/cgroup/memory/job/memory.usage_in_bytes", "209715200\n"),
        ("sys/fs/cgroup/memory/job/memory.stat", "total_inactive_file 157286400\n"),
    ]);
    assert_eq!(tree.memory(), 50 * MIB);
}

#[test]
fn a_group_out_of_sight_bounds_nothing() {
    for path in ["/elsewhere/../../a", "/../a"] {
        let line = format!("0::{path}\n");
        let tree = Tree::new(&[
            MEMINFO,
            UNIFIED,
            ("proc/self/cgroup", &line),
            ("sys/fs/cgroup/a/memory.max", "1048576\n"),
            ("sys/fs/a/memory.max", "1048576\n"),
        ]);
        assert_eq!(tree.memory(), 1024 * MIB, "{path}");
    }
}

#[test]
fn this_host_has_something_to_give() {
    let capacity = Capacity::of_host().expect("/proc is there");
    assert!(capacity.cpus.milli() >= 1000 && capacity.memory.0 > 0, "{capacity:?}");
}
