use std::path::{Path, PathBuf};

use super::super::detect::{Hierarchies, Unified};

fn v1(found: &Hierarchies, controller: &str) -> Option<String> {
    found.v1.get(controller).map(|dir| dir.display().to_string())
}

fn v2(own: &str, mount: &str) -> Option<Unified> {
    Some(Unified { own: PathBuf::from(own), mount: PathBuf::from(mount) })
}

#[test]
fn a_hybrid_host_has_its_controllers_on_version_1() {
    let found = Hierarchies::parse(
        "9:name=systemd:/\n8:pids:/\n4:memory:/jobs/7\n3:cpuset:/\n2:cpuacct:/\n1:cpu:/\n0::/\n",
        "31 23 0:28 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755\n\
         32 31 0:29 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu\n\
         33 31 0:30 / /sys/fs/cgroup/cpuacct rw,relatime - cgroup cgroup rw,cpuacct\n\
         35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory\n\
         39 31 0:36 / /sys/fs/cgroup/pids rw,relatime - cgroup cgroup rw,pids\n\
         41 31 0:38 / /sys/fs/cgroup/unified rw,relatime - cgroup2 cgroup2 rw\n",
    );
    assert_eq!(v1(&found, "memory").as_deref(), Some("/sys/fs/cgroup/memory/jobs/7"));
    assert_eq!(v1(&found, "pids").as_deref(), Some("/sys/fs/cgroup/pids"));
    assert_eq!(v1(&found, "cpu").as_deref(), Some("/sys/fs/cgroup/cpu"));
    assert_eq!(v1(&found, "cpuacct").as_deref(), Some("/sys/fs/cgroup/cpuacct"));
    assert_eq!(found.v1.len(), 4);
    assert_eq!(found.v2, v2("/sys/fs/cgroup/unified", "/sys/fs/cgroup/unified"));
}

const PURE: &str = "30 23 0:26 / /sys/fs/cgroup rw,nosuid,nodev,noexec,relatime shared:4 - cgroup2 \
                    cgroup2 rw,nsdelegate,memory_recursiveprot\n";

#[test]
fn a_version_2_user_session_is_deep_in_its_slice() {
    let path = "/user.slice/user-1000.slice/user@1000.service/app.slice/run-1.scope";
    let found = Hierarchies::parse(&format!("0::{path}\n"), PURE);
    assert!(found.v1.is_empty());
    assert_eq!(found.v2, v2(&format!("/sys/fs/cgroup{path}"), "/sys/fs/cgroup"));
}

#[test]
fn a_version_2_service_is_in_the_system_slice() {
    let found = Hierarchies::parse("0::/system.slice/judge.service\n", PURE);
    assert_eq!(found.v2, v2("/sys/fs/cgroup/system.slice/judge.service", "/sys/fs/cgroup"));
}

#[test]
fn a_version_2_container_sees_its_own_group_as_the_root() {
    let mounts = "1204 1196 0:26 / /sys/fs/cgroup ro,nosuid,nodev,noexec,relatime - cgroup2 cgroup \
                  rw,nsdelegate\n";
    let found = Hierarchies::parse("0::/\n", mounts);
    assert_eq!(found.v2, v2("/sys/fs/cgroup", "/sys/fs/cgroup"));
}

#[test]
fn a_version_1_container_sees_its_own_group_through_the_root_of_the_mount() {
    let found = Hierarchies::parse(
        "12:pids:/docker/ab12\n6:cpu,cpuacct:/docker/ab12\n4:memory:/docker/ab12/inner\n",
        "10 9 0:33 /docker/ab12 /sys/fs/cgroup/cpu,cpuacct ro master:15 - cgroup cgroup \
         rw,cpu,cpuacct\n\
         11 9 0:35 /docker/ab12 /sys/fs/cgroup/memory ro master:17 - cgroup cgroup rw,memory\n\
         12 9 0:36 /docker/ab12 /sys/fs/cgroup/pids ro - cgroup cgroup rw,pids\n",
    );
    assert_eq!(v1(&found, "cpu").as_deref(), Some("/sys/fs/cgroup/cpu,cpuacct"));
    assert_eq!(v1(&found, "cpu"), v1(&found, "cpuacct"));
    assert_eq!(v1(&found, "memory").as_deref(), Some("/sys/fs/cgroup/memory/inner"));
    assert_eq!(v1(&found, "pids").as_deref(), Some("/sys/fs/cgroup/pids"));
    assert_eq!(found.v2, None);
}

#[test]
fn wsl_mounts_version_2_apart_and_leaves_controllers_unmounted() {
    let found = Hierarchies::parse(
        "14:misc:/\n8:pids:/\n5:memory:/\n1:cpuset:/\n0::/\n",
        "54 47 0:40 / /sys/fs/cgroup/memory rw,nosuid shared:12 - cgroup cgroup rw,memory\n\
         64 47 0:50 / /sys/fs/cgroup/unified rw,nosuid shared:22 - cgroup2 cgroup2 rw,nsdelegate\n",
    );
    assert_eq!(found.v1.keys().copied().collect::<Vec<_>>(), ["memory"]);
    assert!(found.v2.is_some());
}

#[test]
fn a_group_outside_of_the_namespace_is_refused() {
    let found = Hierarchies::parse("0::/../other\n", PURE);
    assert_eq!(found, Hierarchies::default());
    let mounts = "30 23 0:26 /../.. /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(Hierarchies::parse("0::/../..\n", mounts), Hierarchies::default());
    assert_eq!(Hierarchies::parse("0::/\n", mounts), Hierarchies::default());
}

#[test]
fn a_group_beside_what_is_mounted_is_not_found() {
    let mounts = "30 23 0:26 /docker/ab /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    assert_eq!(Hierarchies::parse("0::/docker/abc\n", mounts).v2, None);
}

#[test]
fn escapes_in_mount_points_are_undone() {
    let mounts = r"30 23 0:26 / /mnt/c\040g\134\0120\0 rw - cgroup2 cgroup2 rw";
    let found = Hierarchies::parse("0::/\n", mounts);
    let own = found.v2.expect("it is mounted").own;
    assert_eq!(own, Path::new("/mnt/c g\\\n0\\0"));
}

#[test]
fn garbage_finds_nothing() {
    for text in ["", "\n\n", "x", "1:memory", "a - b", "1 2 3 4 5 - cgroup", "::", "0::relative"] {
        assert_eq!(Hierarchies::parse(text, text), Hierarchies::default());
        assert_eq!(Hierarchies::parse(text, PURE), Hierarchies::default(), "{text}");
    }
}

#[test]
fn a_mount_without_an_absolute_root_or_point_is_none() {
    for mounts in [
        "30 23 0:26  /sys/fs/cgroup rw - cgroup2 cgroup2 rw",
        "30 23 0:26 / sys/fs/cgroup rw - cgroup2 cgroup2 rw",
    ] {
        assert_eq!(Hierarchies::parse("0::/etc\n", mounts), Hierarchies::default());
    }
}
