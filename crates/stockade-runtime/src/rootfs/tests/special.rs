//! What few configurations ask for.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};

use rustix::fs::{Mode, OFlags};
use rustix::pty::{OpenptFlags, ioctl_tiocgptpeer, unlockpt};
use serde_json::json;

use super::{Bundle, dev_mount, isolated, mount_at, mounts, proc_mount, refused, situation, spec};
use crate::rootfs::{Rootfs, Situation};

#[test]
fn a_tmpfs_may_begin_as_a_copy() {
    if !isolated(module_path!(), "a_tmpfs_may_begin_as_a_copy", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let covered = bundle.root().join("covered");
    fs::create_dir_all(covered.join("in/side")).expect("a directory");
    fs::write(covered.join("in/side/file"), "text").expect("a file");
    let program = covered.join("program");
    fs::write(&program, "x".repeat(100_000)).expect("a file");
    std::os::unix::fs::chown(&program, Some(5), Some(6)).expect("an owner");
    fs::set_permissions(&program, fs::Permissions::from_mode(0o6755)).expect("a mode");
    symlink(&bundle.outside, covered.join("link")).expect("a link");
    let before = fs::metadata(&program).expect("the program");
    let options = ["tmpcopyup", "ro", "nodev"];
    let config = spec(
        json!([
            proc_mount(),
            { "destination": "/covered", "type": "tmpfs", "options": options },
        ]),
        json!({}),
    );
    bundle.enter(&config).expect("a container");
    mount_at("/covered").assert_options(&["ro", "nodev"]);
    assert_eq!(fs::read_to_string("/covered/in/side/file").expect("the copy"), "text");
    let after = fs::metadata("/covered/program").expect("the copy");
    assert_eq!((after.uid(), after.gid(), after.mode() & 0o7777), (5, 6, 0o6755));
    assert_eq!((after.mtime(), after.len()), (before.mtime(), 100_000));
    assert_eq!(fs::read_link("/covered/link").expect("the copy"), bundle.outside);
}

#[test]
fn owners_are_shown_by_a_map() {
    if !isolated(module_path!(), "owners_are_shown_by_a_map", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let volume = bundle.volume("v");
    let maps = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
    let config = spec(
        json!([
            proc_mount(),
            { "destination": "/mapped", "type": "bind", "source": volume,
              "options": ["bind", "idmap"], "uidMappings": maps, "gidMappings": maps },
            { "destination": "/plain", "type": "bind", "source": volume, "options": ["bind"] },
        ]),
        json!({}),
    );
    match bundle.enter(&config) {
        Err(failure) if failure.to_string().contains("Invalid argument") => {
            println!("SKIP: owners_are_shown_by_a_map: no tmpfs with mapped owners: {failure}");
            return;
        }
        entered => entered.expect("a container"),
    };
    let owner = |path| fs::metadata(path).map(|found| (found.uid(), found.gid())).expect("a file");
    assert_eq!(owner("/mapped/v"), (1000, 1000));
    assert_eq!(owner("/plain/v"), (0, 0));
    // The process that held the map is gone.
    let children = rustix::process::wait(rustix::process::WaitOptions::NOHANG);
    assert_eq!(children.expect_err("there is no child"), rustix::io::Errno::CHILD);
}

#[test]
fn a_map_of_owners_is_checked() {
    let check = |mount| {
        let config = spec(json!([mount]), json!({}));
        refused(Rootfs::new(&config, Path::new("/"), situation()).map(drop))
    };
    let maps = json!([{ "containerID": 0, "hostID": 1000, "size": 10 }]);
    let said = check(json!({ "destination": "/m", "type": "bind", "options": ["bind", "idmap"] }));
    assert!(said.contains("needs mappings"), "{said}");
    let said = check(json!({ "destination": "/m", "options": ["bind"], "uidMappings": maps }));
    assert!(said.contains("must be given together"), "{said}");
    let said = check(json!({ "destination": "/m", "options": ["bind"],
                             "uidMappings": maps, "gidMappings": [] }));
    assert!(said.contains("are empty"), "{said}");
}

#[test]
fn an_overlay_of_many_layers_is_mounted() {
    if !isolated(module_path!(), "an_overlay_of_many_layers_is_mounted", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let layers: Vec<String> = (0..12)
        .map(|number| bundle.volume(&format!("layer-{number}-of-a-long-name")))
        .map(|layer| layer.to_string_lossy().into_owned())
        .collect();
    let (upper, work) = (bundle.volume("upper"), bundle.volume("work"));
    let lower = format!("lowerdir={}", layers.join(":"));
    assert!(lower.len() > 300);
    let overlay = |at: &str, lower: &str| {
        json!({ "destination": at, "type": "overlay", "source": "overlay",
                "options": [lower, format!("upperdir={}", upper.display()),
                            format!("workdir={}", work.display()), "nosuid", "private"] })
    };
    for lower in [format!("lowerdir={}", layers[0]), lower] {
        let config = spec(json!([overlay("/merged", &lower)]), json!({}));
        bundle.build(&config).expect("built");
        let merged = bundle.root().join("merged");
        mount_at(&merged.to_string_lossy()).assert_options(&["nosuid"]);
        let there = merged.join("layer-0-of-a-long-name");
        assert_eq!(fs::read_to_string(there).expect("a layer"), "layer-0-of-a-long-name");
        fs::write(merged.join("new"), "").expect("it can be written to");
        rustix::mount::unmount(bundle.root(), rustix::mount::UnmountFlags::DETACH).expect("it");
    }
    assert!(upper.join("new").exists());
    // The place where that was mounted meanwhile is as it was.
    assert!(bundle.root().is_dir());
}

#[test]
fn a_mount_may_be_changed_later_and_a_tree_at_once() {
    if !isolated(module_path!(), "a_mount_may_be_changed_later_and_a_tree_at_once", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let volume = bundle.volume("v");
    let inner = volume.join("inner");
    fs::create_dir(&inner).expect("a directory");
    let flags = rustix::mount::MountFlags::empty();
    rustix::mount::mount("tmpfs", &inner, "tmpfs", flags, None).expect("a tmpfs");
    let bind = |at: &str, options: &[&str]| json!({ "destination": at, "type": "bind", "source": volume, "options": options });
    let config = spec(
        json!([
            proc_mount(),
            bind("/one", &["rbind", "ro", "rslave"]),
            bind("/tree", &["rbind", "rro", "rnosuid"]),
            bind("/flat", &["bind"]),
            { "destination": "/later", "type": "tmpfs" },
            { "destination": "/later", "options": ["remount", "ro", "noexec"] },
        ]),
        json!({}),
    );
    bundle.enter(&config).expect("a container");
    mount_at("/one").assert_options(&["ro"]);
    mount_at("/one/inner").assert_options(&["rw"]);
    mount_at("/tree").assert_options(&["ro", "nosuid"]);
    mount_at("/tree/inner").assert_options(&["ro", "nosuid"]);
    assert!(!mounts().iter().any(|mount| mount.place == "/flat/inner"));
    mount_at("/later").assert_options(&["ro", "noexec"]);
}

#[test]
fn a_terminal_is_the_console() {
    if !isolated(module_path!(), "a_terminal_is_the_console", &[]) {
        return;
    }
    let bundle = Bundle::new();
    let pts = json!({ "destination": "/dev/pts", "type": "devpts", "source": "devpts",
                      "options": ["newinstance", "ptmxmode=0666", "mode=0620"] });
    let config = spec(json!([proc_mount(), dev_mount(), pts]), json!({}));
    let rootfs = bundle.enter(&config).expect("a container");
    let master = rustix::fs::open("/dev/ptmx", OFlags::RDWR | OFlags::NOCTTY, Mode::empty())
        .expect("a terminal");
    unlockpt(&master).expect("unlocked");
    let flags = OpenptFlags::RDWR | OpenptFlags::NOCTTY;
    let slave = ioctl_tiocgptpeer(&master, flags).expect("its other side");
    // A link in its place is not followed.
    symlink("/dev/null", "/dev/console").expect("a link");
    rootfs.console(std::os::fd::AsFd::as_fd(&slave)).expect_err("a link");
    fs::remove_file("/dev/console").expect("the link");
    let null = fs::File::open("/dev/null").expect("null");
    let said = refused(rootfs.console(std::os::fd::AsFd::as_fd(&null)));
    assert!(said.contains("the console is no pseudo terminal"), "{said}");
    rootfs.console(std::os::fd::AsFd::as_fd(&slave)).expect("a console");
    let there = fs::metadata("/dev/console").expect("the console");
    assert_eq!(there.rdev(), rustix::fs::fstat(&slave).expect("the terminal").st_rdev);
    assert_eq!(mount_at("/dev/console").kind, "devpts");
    // The standard input of this test was the host's null device.
    let input = rustix::fs::fstat(rustix::stdio::stdin()).expect("the input");
    assert_eq!(input.st_dev, fs::metadata("/dev/null").expect("null").dev());
}

#[test]
fn control_groups_are_shown_as_the_container_may_see_them() {
    let name = "control_groups_are_shown_as_the_container_may_see_them";
    if !isolated(module_path!(), name, &["--cgroup"]) {
        return;
    }
    let host = Path::new("/sys/fs/cgroup");
    if !host.join("pids/tasks").exists() {
        println!("SKIP: {name}: no hierarchy of the first version");
        return;
    }
    let bundle = Bundle::new();
    let mut groups: Vec<(String, PathBuf)> = ["pids", "systemd", "unified"]
        .into_iter()
        .map(|name| (name.to_owned(), host.join(name)))
        .filter(|(_, group)| group.exists())
        .collect();
    groups.push(("cpu,cpuacct".into(), host.join("cpu")));
    let config = spec(
        json!([
            proc_mount(),
            { "destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["noexec"] },
        ]),
        json!({}),
    );
    let situation = Situation { cgroup_namespace: true, cgroup_mounts: &groups, ..situation() };
    let mut rootfs = Rootfs::new(&config, &bundle.dir, situation).expect("a good configuration");
    rootfs.build().expect("built");
    rootfs.enter().expect("entered");
    rootfs.finish().expect("finished");
    for (name, group) in &groups {
        let mount = mount_at(&host.join(name).to_string_lossy());
        assert_eq!(mount.root, "/", "{mount:?}");
        let kind = if name == "unified" { "cgroup2" } else { "cgroup" };
        assert_eq!(mount.kind, kind);
        // The last is no hierarchy of its own here, so it is shown as the host has it.
        let writable = if name == "cpu,cpuacct" { "ro" } else { "rw" };
        mount.assert_options(&[writable, "nosuid", "nodev", "noexec"]);
        assert!(Path::new("/sys/fs/cgroup").join(name).join("cgroup.procs").exists(), "{group:?}");
    }
    for alias in ["cpu", "cpuacct"] {
        let link = fs::read_link(Path::new("/sys/fs/cgroup").join(alias)).expect("a link");
        assert_eq!(link, Path::new("cpu,cpuacct"));
    }
}

#[test]
fn the_one_hierarchy_is_shown_where_there_is_one() {
    let name = "the_one_hierarchy_is_shown_where_there_is_one";
    if !isolated(module_path!(), name, &["--cgroup"]) {
        return;
    }
    let all = ["/sys/fs/cgroup", "/sys/fs/cgroup/unified"];
    let Some(host) = all.iter().find(|dir| Path::new(dir).join("cgroup.controllers").exists())
    else {
        println!("SKIP: {name}: no hierarchy of the second version");
        return;
    };
    let bundle = Bundle::new();
    let groups = [(String::new(), PathBuf::from(host))];
    let cgroup = json!({ "destination": "/sys/fs/cgroup", "type": "cgroup", "options": ["ro"] });
    let config = spec(json!([proc_mount(), cgroup]), json!({}));
    for cgroup_namespace in [true, false] {
        let situation = Situation { cgroup_namespace, cgroup_mounts: &groups, ..situation() };
        let mut rootfs = Rootfs::new(&config, &bundle.dir, situation).expect("a configuration");
        rootfs.build().expect("built");
        let mount = mount_at(&bundle.root().join("sys/fs/cgroup").to_string_lossy());
        assert_eq!((&*mount.kind, &*mount.root), ("cgroup2", "/"));
        mount.assert_options(&["ro", "nosuid", "nodev", "noexec"]);
        rustix::mount::unmount(bundle.root(), rustix::mount::UnmountFlags::DETACH).expect("it");
    }
}
