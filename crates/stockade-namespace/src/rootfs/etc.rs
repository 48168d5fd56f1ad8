//! What stands in `/etc`: a few generated files, and the few of the host that programs need.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::PathBuf;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

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

/// Where Debian's Java keeps its configuration, to which it links from `/usr`.
fn java() -> Vec<PathBuf> {
    type Known = Option<((u64, u64, SystemTime), Vec<PathBuf>)>;
    static KNOWN: Mutex<Known> = Mutex::new(None);
    let mut known = KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    let now = fs::metadata("/etc").and_then(|meta| Ok((meta.dev(), meta.ino(), meta.modified()?)));
    if let (Ok(now), Some((then, paths))) = (&now, &*known)
        && now == then
    {
        return paths.clone();
    }
    let entries = fs::read_dir("/etc").into_iter().flatten().flatten();
    let paths: Vec<PathBuf> = entries
        .filter(|entry| {
            let name = entry.file_name();
            name.to_str()
                .is_some_and(|name| name.starts_with("java-") && name.ends_with("-openjdk"))
        })
        .map(|entry| entry.path())
        .collect();
    // A clock ticks: what changes in the same tick as the last change would not be seen.
    *known = now.ok().filter(|(_, _, changed)| is_past(*changed)).map(|now| (now, paths.clone()));
    paths
}

fn is_past(time: SystemTime) -> bool {
    time.elapsed().is_ok_and(|elapsed| elapsed > Duration::from_secs(2))
}
