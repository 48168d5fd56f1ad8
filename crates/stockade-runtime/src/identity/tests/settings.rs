//! Names and settings of namespaces.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

const NAMES: &str = "identity::tests::settings::names_and_settings_are_those_of_the_namespaces";

#[test]
fn names_and_settings_are_those_of_the_namespaces() {
    let by = [UNSHARE, "--user", "--map-root-user", "--uts", "--ipc", "--net"];
    inside(NAMES, &by, || {
        let all = json!([{"type": "uts"}, {"type": "ipc"}, {"type": "network"}]);
        let said = spec(json!({
            "hostname": "inside", "domainname": "walls",
            "linux": {
                "namespaces": all,
                "sysctl": {"kernel.msgmax": "4444", "net/ipv4/ip_forward": "1"},
            },
        }));
        names(&said).expect("they are set");
        check_sysctl(&said).expect("they may be set");
        sysctl(&said).expect("they are set");
        let read = |path: &str| fs::read_to_string(path).expect("a procfs").trim().to_owned();
        assert_eq!(read("/proc/sys/kernel/hostname"), "inside");
        assert_eq!(read("/proc/sys/kernel/domainname"), "walls");
        assert_eq!(read("/proc/sys/kernel/msgmax"), "4444");
        assert_eq!(read("/proc/sys/net/ipv4/ip_forward"), "1");
        let absent = json!({"namespaces": all, "sysctl": {"net.no.such": "1"}});
        let failure = sysctl(&spec(json!({"linux": absent}))).expect_err("there is none");
        assert!(failure.to_string().contains("not on this kernel"), "{failure}");
        // A namespace that is the host's, though it is joined by its path.
        let ours = json!([{"type": "network", "path": "/proc/self/ns/net"}]);
        let said = json!({"namespaces": ours, "sysctl": {"net.ipv4.ip_forward": "1"}});
        let failure = check_sysctl(&spec(json!({"linux": said}))).expect_err("it is the host's");
        assert!(failure.to_string().contains("host network namespace"), "{failure}");
    });
}

#[test]
fn settings_of_the_host_are_refused() {
    let all = json!([{"type": "uts"}, {"type": "ipc"}, {"type": "network"}]);
    for (namespaces, name, words) in [
        (&all, "kernel.core_pattern", "not in a separate kernel namespace"),
        (&all, "kernel/core_pattern", "not in a separate kernel namespace"),
        (&all, "fs.file-max", "not in a separate kernel namespace"),
        (&all, "kernel.hostname", "conflicts with the OCI"),
        (&all, "net/../kernel/core_pattern", "no name of a setting"),
        (&all, "net.ipv4/../../kernel.core_pattern", "no name of a setting"),
        (&json!([]), "net.ipv4.ip_forward", "not allowed in the host network namespace"),
        (&json!([]), "kernel.shmmax", "not allowed in the host ipc namespace"),
        (&json!([]), "fs.mqueue.msg_max", "not allowed in the host ipc namespace"),
    ] {
        let said = json!({"namespaces": namespaces, "sysctl": {name: "1"}});
        let said = spec(json!({"linux": said}));
        for failure in [check_sysctl(&said), sysctl(&said)] {
            let failure = failure.expect_err("it is the host's").to_string();
            assert!(failure.contains(words), "{name}: {failure}");
        }
    }
    let failure = names(&spec(json!({"hostname": "x", "linux": {"namespaces": []}})));
    let failure = failure.expect_err("it is the host's").to_string();
    assert!(failure.contains("unable to set hostname"), "{failure}");
}

const COVERED: &str = "identity::tests::settings::a_file_that_was_mounted_over_is_not_written";

#[test]
fn a_file_that_was_mounted_over_is_not_written() {
    let by = [
        UNSHARE,
        "--user",
        "--map-root-user",
        "--mount",
        "--net",
        "--pid",
        "--fork",
        "--mount-proc",
    ];
    inside(COVERED, &by, || {
        let folder = std::env::temp_dir().join(format!("stockade-proc-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let decoy = folder.join("decoy");
        fs::write(&decoy, "untouched").expect("a file");
        let cover = |what: &Path, place: &str| {
            rustix::mount::mount_bind(what, place).expect("it is mounted");
        };
        let netspec = json!({
            "namespaces": [{"type": "network"}], "sysctl": {"net.ipv4.ip_forward": "1"},
        });
        let netspec = spec(json!({"linux": netspec}));
        sysctl(&netspec).expect("it can be set to begin with");
        cover(&decoy, "/proc/sys/net/ipv4/ip_forward");
        let failure = sysctl(&netspec).expect_err("it is covered");
        assert!(failure.to_string().contains("error setting sysctl"), "{failure}");
        // In the place of all of it, something that looks like it, even by the number of its root:
        // another procfs is made.
        let none = rustix::mount::MountFlags::empty();
        rustix::mount::mount("none", "/proc", "tmpfs", none, None).expect("it is mounted");
        fs::create_dir_all("/proc/sys/net/ipv4").expect("a folder");
        let fake = Path::new("/proc/sys/net/ipv4/ip_forward");
        fs::write(fake, "untouched").expect("a file");
        sysctl(&netspec).expect("it is set in the kernel");
        let read = |path: &Path| fs::read_to_string(path).expect("the file");
        assert_eq!(read(fake), "untouched");
        assert_eq!(read(&decoy), "untouched");
        rustix::mount::unmount("/proc", rustix::mount::UnmountFlags::DETACH).expect("undone");
        fs::remove_dir_all(&folder).expect("what this test made");
    });
}
