//! What stands in `/etc`: a few generated files, and the few of the host that programs need.

use std::fs;
use std::path::PathBuf;

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
    // Debian's Java keeps its configuration here and links to it from /usr.
    for entry in fs::read_dir("/etc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        if name.to_str().is_some_and(|name| name.starts_with("java-") && name.ends_with("-openjdk"))
        {
            paths.push(entry.path());
        }
    }
    paths
}
