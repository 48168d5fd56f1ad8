//! [`Namespaces`]: how many of them the kernel has.

use std::fmt::Write as _;
use std::fs;
use std::thread;
use std::time::Duration;

/// The caches that a namespace, or what holds one, is taken from.
const CACHES: [&str; 6] = [
    "net_namespace",
    "pid_namespace",
    "user_namespace",
    "uts_namespace",
    "mnt_cache",
    "shmem_inode_cache",
];

/// Objects of the kernel, on the whole machine; none where slabinfo(5) cannot be read.
pub(super) struct Namespaces {
    objects: Vec<(&'static str, u64)>,
}

impl Namespaces {
    /// Counts, when the kernel has had time to take down what is not used any more.
    pub(super) fn count() -> Self {
        thread::sleep(Duration::from_secs(1));
        let text = fs::read_to_string("/proc/slabinfo").unwrap_or_default();
        let find = |name: &'static str| {
            let line = text.lines().find_map(|line| line.strip_prefix(name));
            let count = line.filter(|rest| rest.starts_with(' '))?.split_whitespace().next()?;
            Some((name, count.parse().ok()?))
        };
        Self { objects: CACHES.into_iter().filter_map(find).collect() }
    }

    /// Both counts of each, in words.
    pub(super) fn since(&self, before: &Self) -> String {
        let mut text = String::from("objects of the kernel, before and after:");
        for ((name, before), (_, after)) in before.objects.iter().zip(&self.objects) {
            let _ = write!(text, " {name} {before} {after}");
        }
        text
    }

    /// What has grown with the number of blows: half of one for each, and what a cache keeps.
    pub(super) fn leaked(&self, before: &Self, blows: u64) -> Vec<String> {
        let pairs = before.objects.iter().zip(&self.objects);
        let grown = pairs.filter(|((_, before), (_, after))| *after > before + blows / 2 + 200);
        grown.map(|(before, after)| format!("{before:?} has become {after:?}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_namespace_left_by_each_blow_is_found() {
        let count = |count| Namespaces { objects: vec![("net_namespace", count)] };
        assert_eq!(count(300).leaked(&count(0), 1000), Vec::<String>::new());
        assert_eq!(count(1000).leaked(&count(0), 1000).len(), 1);
    }
}
