use super::super::hierarchy::{Hierarchy, parse, unified_path};
use super::super::place::{Place, clean};
use super::*;

const HYBRID: &str = "9:name=systemd:/init\n4:memory:/outer/own\n1:cpu,cpuacct:/\n0::/outer/own\n";
const HYBRID_MOUNTS: &str = "\
31 23 0:28 / /sys/fs/cgroup rw shared:1 - tmpfs tmpfs rw,mode=755
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 /outer /sys/fs/cgroup/memory rw master:2 - cgroup cgroup rw,memory
40 31 0:37 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,xattr,name=systemd
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
42 31 0:32 / /srv/odd\\040place/memory rw - cgroup cgroup rw,memory
";

fn hierarchy(version: Version, controllers: &[&str], point: &str, own: &str) -> Hierarchy {
    let controllers = controllers.iter().map(|&name| name.to_owned()).collect();
    Hierarchy { version, controllers, point: point.to_owned(), own: own.to_owned() }
}

#[test]
fn hierarchies_of_a_hybrid_host_are_all_found() {
    let found = parse(HYBRID, HYBRID_MOUNTS);
    let expected = [
        hierarchy(Version::V1, &["name=systemd"], "/sys/fs/cgroup/systemd", "init"),
        hierarchy(Version::V1, &["memory"], "/sys/fs/cgroup/memory", "own"),
        hierarchy(Version::V1, &["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct", ""),
        hierarchy(Version::V2, &[], "/sys/fs/cgroup/unified", "outer/own"),
    ];
    assert_eq!(found, expected);
}

#[test]
fn a_mount_elsewhere_is_taken_when_there_is_no_other() {
    let mounts = HYBRID_MOUNTS.replace("/sys/fs/cgroup/memory", "/elsewhere/hidden");
    let found = parse("4:memory:/outer/own\n", &mounts);
    assert_eq!(found, [hierarchy(Version::V1, &["memory"], "/srv/odd place/memory", "outer/own")]);
}

#[test]
fn version_2_at_the_usual_place_is_all_there_is() {
    let mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n\
                  31 23 0:27 / /sys/fs/cgroup/systemd rw - cgroup cgroup rw,name=systemd\n";
    let found = parse("1:name=systemd:/\n0::/user.slice/a.scope\n", mounts);
    let own = "user.slice/a.scope";
    assert_eq!(found, [hierarchy(Version::V2, &[], "/sys/fs/cgroup", own)]);
}

#[test]
fn a_group_outside_of_the_namespace_is_taken_for_the_mounted_one() {
    let mounts = "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n";
    for own in ["/../other", "/..", "/a/../b"] {
        let found = parse(&format!("0::{own}\n"), mounts);
        assert_eq!(found, [hierarchy(Version::V2, &[], "/sys/fs/cgroup", "")], "{own}");
    }
}

#[test]
fn a_root_that_only_starts_alike_does_not_hold_a_group() {
    let mounts = "30 23 0:26 /out /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n";
    let own = |path: &str| parse(&format!("1:memory:{path}\n"), mounts)[0].own.clone();
    assert_eq!(
        (own("/outer").as_str(), own("/out/er").as_str(), own("/out").as_str()),
        ("", "er", "")
    );
}

#[test]
fn the_path_on_version_2_is_read() {
    assert_eq!(unified_path(HYBRID), Some("outer/own"));
    assert_eq!(unified_path("1:cpu:/a\n"), None);
}

#[test]
fn absolute_paths_start_at_the_mount_and_relative_ones_at_the_own_group() {
    let v1 = hierarchy(Version::V1, &["cpu"], "/p", "own/group");
    let v2 = hierarchy(Version::V2, &[], "/p", "own/group");
    let place = |path: &str| Place::new(Some(Path::new(path)), "id").expect("a good path");
    assert_eq!(place("/docker/abc").below(&v1, false), "docker/abc");
    assert_eq!(place("docker//./abc/").below(&v1, false), "own/group/docker/abc");
    // Beside the caller, since its group has a process; not so on a hybrid host.
    assert_eq!(place("abc").below(&v2, true), "own/abc");
    assert_eq!(place("abc").below(&v2, false), "own/group/abc");
    let top = hierarchy(Version::V2, &[], "/p", "");
    assert_eq!(place("abc").below(&top, true), "abc");
}

#[test]
fn without_a_path_the_id_names_the_group() {
    for path in [None, Some(Path::new(""))] {
        assert_eq!(Place::new(path, "the-id").expect("no path"), Place::Relative("the-id".into()));
    }
}

#[test]
fn paths_that_climb_or_cannot_be_are_refused() {
    let long = "a/".repeat(1500);
    let wide = "a".repeat(256);
    for path in ["/", ".", "//.", "..", "/a/../b", "a/..", "/a\0b", "a\nb", &long, &wide] {
        let failure = clean(path).expect_err(path).to_string();
        assert!(failure.starts_with("cgroupsPath `"), "{failure}");
        assert!(failure.len() < 200, "{failure}");
    }
    assert_eq!(clean("/a..b/...").expect("dots that are names"), "a..b/...");
}

#[test]
fn what_a_v1_mount_shows_are_the_names_that_hosts_have() {
    let group = |controllers: &[&str], point: &str| Group {
        version: Version::V1,
        controllers: controllers.iter().map(|&name| name.to_owned()).collect(),
        point: point.into(),
        path: "x/y".into(),
    };
    let mut cgroup = Cgroup::plan(&spec(Some("/x/y")), "id", false, false).expect("a plan");
    cgroup.alone = false;
    cgroup.groups = vec![
        group(&["cpu", "cpuacct"], "/sys/fs/cgroup/cpu,cpuacct"),
        group(&["name=systemd"], "/elsewhere/s"),
        Group { version: Version::V2, ..group(&[], "/sys/fs/cgroup/unified") },
    ];
    let mounts = cgroup.mounts();
    assert_eq!(
        mounts,
        [
            ("cpu,cpuacct".to_owned(), PathBuf::from("/sys/fs/cgroup/cpu,cpuacct/x/y")),
            ("systemd".to_owned(), PathBuf::from("/elsewhere/s/x/y")),
        ]
    );
}
