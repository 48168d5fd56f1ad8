//! What is not taken, and what is left: on the control groups of this machine.

use super::real::{Container, Empty, plan};
use super::*;

#[test]
fn a_limit_that_the_kernel_refuses_leaves_nothing() {
    let test = "a_limit_that_the_kernel_refuses_leaves_nothing";
    let Some(mut cgroup) = plan(test) else { return };
    let name = cgroup.groups[0].path.clone();
    // Groups above the container's own are new too.
    for group in &mut cgroup.groups {
        group.path.push_str("/deep/er");
    }
    let planned = cgroup.groups.clone();
    let value = json!({ "pids": { "limit": 5 }, "cpu": { "cpus": "4000" } });
    let failure = cgroup.create(Some(&resources(value))).expect_err("no such processor");
    let failure = failure.to_string();
    assert!(failure.contains("writing `4000` to cpuset.cpus"), "{failure}");
    assert_eq!(cgroup.groups, planned);
    let top = name.rsplit('/').next().expect("a name");
    for group in &planned {
        let path = PathBuf::from(group.shown());
        let above = path.ancestors().find(|path| path.ends_with(top)).expect("its own name");
        assert!(!above.exists(), "{}", above.display());
    }
    // Nothing of it is this container's, so nothing is removed.
    cgroup.remove().expect("nothing was made");
}

#[test]
fn sub_groups_with_odd_names_are_found_and_removed() {
    let test = "sub_groups_with_odd_names_are_found_and_removed";
    let Some(container) = Container::new(test, json!({}), "exec sleep 60") else { return };
    let freezer = container.dir("freezer").expect("a freezer");
    let pids = container.dir("pids").expect("pids");
    use std::os::unix::ffi::OsStrExt;
    for name in [&b"\xff\xfe"[..], b"a b\tc", b"-rf", b"cgroup", b"...", "\u{202e}x".as_bytes()] {
        let name = std::ffi::OsStr::from_bytes(name);
        fs::create_dir_all(freezer.join(name).join("inner")).expect("a sub-group");
        fs::create_dir_all(pids.join(name)).expect("a sub-group");
    }
    // More levels than there may be descriptors, and a path that is too long to be one.
    let mut deep = walk_down(&pids, 1500);
    fs::write(freezer.join("-rf/inner/cgroup.procs"), container.pid().to_string()).expect("in");
    fs::write(freezer.join("-rf/freezer.state"), "FROZEN").expect("a container may freeze its own");
    rustix::fs::mkdirat(&deep, "last", rustix::fs::Mode::from_raw_mode(0o755)).expect("one more");
    deep =
        rustix::fs::openat(&deep, "last", rustix::fs::OFlags::DIRECTORY, rustix::fs::Mode::empty())
            .expect("it is there");
    drop(deep);
    container.cgroup.remove().expect("all goes");
    assert!(!freezer.exists() && !pids.exists());
}

/// Makes so many groups in one another, and gives the last.
fn walk_down(top: &Path, depth: usize) -> std::os::fd::OwnedFd {
    use rustix::fs::{Mode, OFlags, mkdirat, open, openat};
    let flags = OFlags::DIRECTORY | OFlags::CLOEXEC;
    let mut here = open(top, flags, Mode::empty()).expect("it is there");
    for _ in 0..depth {
        mkdirat(&here, "deeper", Mode::from_raw_mode(0o755)).expect("a sub-group");
        here = openat(&here, "deeper", flags, Mode::empty()).expect("it is there");
    }
    here
}

#[test]
fn a_group_is_removed_while_it_forks_and_makes_more() {
    let test = "a_group_is_removed_while_it_forks_and_makes_more";
    let Some(mut cgroup) = plan(test) else { return };
    cgroup.groups.retain(|group| group.version == Version::V1);
    cgroup.create(None).expect("groups below the own one");
    let pids = cgroup.groups.iter().find(|group| group.has("pids")).expect("pids").shown();
    let script =
        format!("for n in 1 2 3; do (while :; do mkdir -p {pids}/x$n/y; (:) & done) & done; wait");
    let container = Container::inside(cgroup, &script);
    container.holds(4);
    container.cgroup.remove().expect("it is faster");
    assert!(!Path::new(&pids).exists());
}

#[test]
fn what_came_to_be_after_all_was_killed_is_removed_too() {
    let test = "what_came_to_be_after_all_was_killed_is_removed_too";
    let Some(mut cgroup) = plan(test) else { return };
    cgroup.groups.retain(|group| group.has("freezer"));
    fs::create_dir(cgroup.groups[0].shown()).expect("a new group");
    cgroup.made = true;
    let container = Container::inside(cgroup, "exec sleep 60");
    let group = &container.cgroup.groups[0];
    let inner = Path::new(&group.shown()).join("inner");
    fs::create_dir(&inner).expect("a sub-group");
    fs::write(inner.join("cgroup.procs"), container.pid().to_string()).expect("it moves");
    fs::write(inner.join("freezer.state"), "FROZEN").expect("a container may freeze its own");
    group.remove(Instant::now() + PATIENCE).expect("it is thawed and killed");
    assert!(!Path::new(&group.shown()).exists());
}

#[test]
fn a_group_that_others_are_in_is_not_taken() {
    let test = "a_group_that_others_are_in_is_not_taken";
    let Some(other) = Container::new(test, json!({}), "exec sleep 60") else { return };
    let mut cgroup = other.cgroup.clone();
    cgroup.made = false;
    let failure = cgroup.create(None).expect_err("it is not empty").to_string();
    assert!(failure.starts_with("container's cgroup is not empty: 1 process(es)"), "{failure}");
    cgroup.remove().expect("it was never ours");
    assert_eq!(other.cgroup.pids().expect("it lives"), [other.pid()]);
}

#[test]
fn a_group_that_others_are_below_is_not_taken() {
    let test = "a_group_that_others_are_below_is_not_taken";
    let Some(cgroup) = plan(test) else { return };
    let mut around = Empty(cgroup);
    let mut inner = around.0.clone();
    for group in &mut inner.groups {
        group.path.push_str("/inner");
    }
    inner.create(None).expect("groups below the own one");
    let other = Container::inside(inner, "exec sleep 60");
    let failure = around.0.create(None).expect_err("its sub-group is not empty").to_string();
    assert!(failure.starts_with("container's cgroup is not empty: 1 process(es)"), "{failure}");
    drop(other);
    // Again with a sub-group that is left behind: it is empty.
    for group in &around.0.groups {
        fs::create_dir(Path::new(&group.shown()).join("left")).expect("a sub-group");
    }
    around.0.create(None).expect("now it is");
    around.0.remove().expect("all goes");
}

#[test]
fn an_empty_group_that_was_there_is_taken() {
    let test = "an_empty_group_that_was_there_is_taken";
    let Some(mut cgroup) = plan(test) else { return };
    for group in &cgroup.groups {
        fs::create_dir(group.shown()).expect("a new group");
    }
    cgroup.create(Some(&resources(json!({ "pids": { "limit": 3 } })))).expect("they are empty");
    let mut container = Container::inside(cgroup, ":");
    assert!(container.wait().success());
    container.cgroup.remove().expect("all goes");
}

#[test]
fn a_link_or_another_file_system_is_never_followed() {
    let test = "a_link_or_another_file_system_is_never_followed";
    let Some(cgroup) = plan(test) else { return };
    let folder = Pretended::new(&[]);
    let pretended =
        Group { point: folder.0.to_string_lossy().into_owned(), ..cgroup.groups[0].clone() };
    let error = pretended.open().expect_err("it is no cgroupfs");
    assert_eq!(error.to_string(), "no control groups are mounted");
    let group = &cgroup.groups[0];
    for path in ["..", "../..", "x/../.."] {
        let climbing = Group { path: path.to_owned(), ..group.clone() };
        climbing.open().expect_err("it climbs");
    }
    // What is mounted below is not entered.
    let top = Dir::pretend(Path::new("/sys/fs/cgroup"));
    let name = cgroup.groups[0].name();
    let error = top.below(&name).expect_err("another mount");
    assert_eq!(error.raw_os_error(), Some(libc::EXDEV));
    let inner = folder.0.join("inner");
    fs::create_dir(&inner).expect("a new folder");
    let error = Dir::pretend(&inner).below("..").expect_err("it climbs");
    assert_eq!(error.raw_os_error(), Some(libc::EXDEV));
    let link = Pretended::new(&[]);
    std::os::unix::fs::symlink("/", link.0.join("link")).expect("a link");
    let error = link.dir().below("link/tmp").expect_err("a link");
    assert_eq!(error.raw_os_error(), Some(libc::ELOOP));
}

/// Does something on a thread that has no rights.
fn without_rights<T: Send>(what: impl FnOnce() -> T + Send) -> T {
    use rustix::process::{Gid, Uid};
    let drop_rights = || {
        let (user, group) = (Uid::from_raw(65534), Gid::from_raw(65534));
        rustix::thread::set_thread_groups(&[]).expect("root may");
        rustix::thread::set_thread_res_gid(group, group, group).expect("root may");
        rustix::thread::set_thread_res_uid(user, user, user).expect("root may");
    };
    let run = || {
        drop_rights();
        what()
    };
    std::thread::scope(|scope| scope.spawn(run).join().expect("it comes to an end"))
}

#[test]
fn without_rights_no_group_is_made_unless_it_is_asked_for() {
    let test = "without_rights_no_group_is_made_unless_it_is_asked_for";
    if plan(test).is_none() {
        return;
    }
    let plan =
        |path| Cgroup::plan(&spec(path), &unique(test), false, true).expect("/proc is there");
    let memory = resources(json!({ "memory": { "limit": 1_048_576 } }));
    let (mut none, mut limited, mut placed) = (plan(None), plan(None), plan(Some("/placed")));
    without_rights(|| {
        // What engines always say of devices is no limit that a user could set.
        let devices = json!({ "devices": [{ "allow": false, "access": "rwm" }] });
        none.create(Some(&resources(devices))).expect("none is needed");
        none.enter(std::process::id().cast_signed()).expect("there is nowhere to go");
        none.pids().expect_err("there is no group");
        none.freeze().expect_err("there is no group");
        none.remove().expect("there is nothing");
        let failure = limited.create(Some(&memory)).expect_err("it cannot be limited").to_string();
        assert!(failure.contains("memory.limit_in_bytes: no control group"), "{failure}");
        let failure = placed.create(None).expect_err("it may not be there").to_string();
        assert!(failure.contains("/placed: Permission denied"), "{failure}");
    });
}

#[test]
fn huge_pages_are_limited_on_the_other_version_where_that_counts_them() {
    let test = "huge_pages_are_limited_on_the_other_version_where_that_counts_them";
    let Some(cgroup) = plan(test) else { return };
    let unified = cgroup.groups.iter().find(|group| group.version == Version::V2);
    let Some(unified) = unified.cloned() else { return skip(test, "no version 2") };
    let point = PathBuf::from(&unified.point);
    let offered = fs::read_to_string(point.join("cgroup.controllers")).expect("a mount point");
    let size = fs::read_dir("/sys/kernel/mm/hugepages").is_ok_and(|sizes| sizes.count() > 0);
    if !offered.contains("hugetlb") || !size || unified.path.contains('/') {
        return skip(test, "version 2 does not count huge pages here");
    }
    let _lent = unified::Lent::new(&point, "hugetlb", false);
    let value = json!({ "hugepageLimits": [{ "pageSize": "2MB", "limit": 4_194_304 }] });
    let mut cgroup = Empty(cgroup);
    cgroup.0.create(Some(&resources(value))).expect("it is counted");
    let file = Path::new(&unified.shown()).join("hugetlb.2MB.max");
    assert_eq!(fs::read_to_string(file).expect("the group is there"), "4194304\n");
}
