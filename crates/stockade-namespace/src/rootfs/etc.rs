//! What stands in `/etc`: a few generated files, and the few of the host that programs need.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use stockade_core::NetworkMode;

/// User and group database: the workload is `sandbox`, whatever its id on the host.
const PASSWD: &str = "\
root:x:0:0:root:/root:/usr/sbin/nologin
sandbox:x:1000:1000:sandbox:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const GROUP: &str = "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n";
const NSSWITCH: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files\n";
const NSSWITCH_DNS: &str = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n";

/// Of the host, for every program: the loader's index, Debian's chosen commands, the time zone.
const ALWAYS: [&str; 3] = ["/etc/ld.so.cache", "/etc/alternatives", "/etc/localtime"];
/// Of the host, for programs that reach the network: certificates and port names.
const ONLINE: [&str; 5] = [
    "/etc/ssl/certs",
    "/etc/ca-certificates",
    "/etc/pki/ca-trust",
    "/etc/services",
    "/etc/protocols",
];

/// Files every base but a rootfs has.
pub(super) fn generated(network: NetworkMode, hostname: &str) -> Vec<(&'static str, Vec<u8>)> {
    let hosts = format!("127.0.0.1 localhost {hostname}\n::1 localhost\n");
    let mut files = vec![
        ("/etc/passwd", PASSWD.into()),
        ("/etc/group", GROUP.into()),
        ("/etc/hosts", hosts.into()),
    ];
    // A copy: the host's file is replaced whenever its network changes.
    if network == NetworkMode::Host
        && let Ok(resolv) = fs::read("/etc/resolv.conf")
    {
        files.push(("/etc/resolv.conf", resolv));
    }
    files
}

/// Further files of the base `system`.
pub(super) fn generated_system(
    network: NetworkMode,
    hostname: &str,
) -> [(&'static str, Vec<u8>); 2] {
    let nsswitch = if network == NetworkMode::Host { NSSWITCH_DNS } else { NSSWITCH };
    [("/etc/hostname", format!("{hostname}\n").into()), ("/etc/nsswitch.conf", nsswitch.into())]
}

/// What the base `system` takes from the host's `/etc`, where it exists.
pub(super) fn mirrored(network: NetworkMode) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = ALWAYS.iter().map(PathBuf::from).collect();
    if network == NetworkMode::Host {
        paths.extend(ONLINE.iter().map(PathBuf::from));
    }
    paths.extend(java());
    paths
}

/// What was listed in a directory, and as what it was found: device, inode, and when it was changed,
/// which unlike the time of its contents nobody can set.
type Listed = Option<((u64, u64, i64, i64), Vec<PathBuf>)>;

/// Where Debian's Java keeps its configuration, to which it links from `/usr`.
fn java() -> Vec<PathBuf> {
    static KNOWN: Mutex<Listed> = Mutex::new(None);
    java_in(Path::new("/etc"), &mut KNOWN.lock().unwrap_or_else(PoisonError::into_inner))
}

fn java_in(dir: &Path, known: &mut Listed) -> Vec<PathBuf> {
    let meta = fs::metadata(dir).ok();
    let now = meta.map(|meta| (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec()));
    if let Some((then, paths)) = &*known
        && now == Some(*then)
    {
        return paths.clone();
    }
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let paths: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .is_some_and(|name| name.starts_with("java-") && name.ends_with("-openjdk"))
        })
        .map(|entry| entry.path())
        .collect();
    // A clock ticks: what changes in the same tick as the last change would not be seen.
    *known = now.filter(|(.., changed, _)| is_past(*changed)).map(|now| (now, paths.clone()));
    paths
}

/// Whether a second is over, whatever ticks.
fn is_past(second: i64) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    now.is_ok_and(|now| i64::try_from(now.as_secs()).is_ok_and(|now| now > second + 2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_listed_is_known_until_the_directory_changes() {
        let dir = std::env::temp_dir().join(format!("stockade-etc-{}", std::process::id()));
        fs::create_dir(&dir).expect("it is not there yet");
        let java = dir.join("java-21-openjdk");
        let mut known = None;
        assert_eq!(java_in(&dir, &mut known), [] as [PathBuf; 0]);
        // It has changed too recently for a later change to be told from that one.
        assert_eq!(known, None);
        fs::create_dir(&java).expect("there is room");
        fs::create_dir(dir.join("java-policy")).expect("there is room");
        assert_eq!(java_in(&dir, &mut known).as_slice(), std::slice::from_ref(&java));
        // As if that had been long ago.
        let meta = fs::metadata(&dir).expect("it is there");
        let stamp = (meta.dev(), meta.ino(), meta.ctime(), meta.ctime_nsec());
        known = Some((stamp, vec![PathBuf::from("/known")]));
        assert_eq!(java_in(&dir, &mut known), [PathBuf::from("/known")]);
        let earlier = (stamp.0, stamp.1, stamp.2 - 9, stamp.3);
        known = Some((earlier, vec![PathBuf::from("/known")]));
        assert_eq!(java_in(&dir, &mut known), [java]);
        fs::remove_dir_all(&dir).expect("it is this test's");
    }
}
