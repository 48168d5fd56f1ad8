//! Where a program starts, and what it finds open.

use std::fs;
use std::path::Path;

use serde_json::json;

use super::*;

const OUTSIDE: &str = "identity::tests::places::a_working_directory_outside_of_the_root_is_refused";

#[test]
fn a_working_directory_outside_of_the_root_is_refused() {
    inside(OUTSIDE, &[UNSHARE, "--user", "--map-root-user", "--mount"], || {
        let folder = std::env::temp_dir().join(format!("stockade-place-{}", std::process::id()));
        fs::create_dir_all(folder.join("proc")).expect("a folder");
        let host = fs::File::open("/").expect("the root");
        let path = format!("/proc/self/fd/{}", std::os::fd::AsRawFd::as_raw_fd(&host));
        rustix::mount::mount_bind_recursive("/proc", folder.join("proc")).expect("a procfs");
        process::chroot(&folder).expect("another root");
        settle(Path::new("/")).expect("this is inside");
        make_place(Path::new("/made/for/it")).expect("it is made");
        make_place(Path::new("/made/for/it")).expect("it is there");
        settle(Path::new("/made/for/it")).expect("this is inside");
        let failure = settle(Path::new(&path)).expect_err("this is not");
        assert!(failure.to_string().contains("container breakout"), "{failure}");
        let said = process(json!({"cwd": path}));
        let failure = Identity::new(&said, Walls::Config).expect("it may be").take();
        let failure = failure.expect_err("nor is it here").to_string();
        assert!(failure.contains("container breakout"), "{failure}");
        let failure = settle(Path::new("/absent")).expect_err("it is nowhere").to_string();
        assert!(failure.contains("chdir to cwd (\"/absent\")"), "{failure}");
        process::fchdir(&host).expect("back");
        process::chroot(".").expect("back");
        rustix::mount::unmount(folder.join("proc"), rustix::mount::UnmountFlags::DETACH)
            .expect("undone");
        fs::remove_dir_all(&folder).expect("what this test made");
    });
}

const PLACE: &str =
    "identity::tests::places::a_working_directory_that_only_root_or_only_the_user_may_enter";

#[test]
fn a_working_directory_that_only_root_or_only_the_user_may_enter() {
    if !is_root(PLACE) {
        return;
    }
    inside(PLACE, &["env"], || {
        let folder = std::env::temp_dir().join(format!("stockade-own-{}", std::process::id()));
        fs::create_dir_all(&folder).expect("a folder");
        let mode = Mode::from_raw_mode(0o700);
        rustix::fs::chmod(&folder, mode).expect("root's alone");
        take(json!({"cwd": folder, "user": {"uid": 1234, "gid": 1234}}), Walls::Config);
        let here = process::getcwd(Vec::new()).expect("it is known");
        assert_eq!(here.to_str(), Ok(folder.to_str().expect("text")));
        settle(&folder).expect_err("the user alone could not");
    });
    if is_inside(PLACE) {
        return;
    }
    let ours = |path: fs::DirEntry| {
        let name = path.file_name();
        name.to_str().is_some_and(|name| name.starts_with("stockade-own-")).then(|| path.path())
    };
    for left in fs::read_dir(std::env::temp_dir()).expect("a folder").flatten().filter_map(ours) {
        fs::remove_dir(left).expect("what this test made");
    }
}

const CLOSED: &str = "identity::tests::places::descriptors_are_closed_but_for_those_to_be_kept";

#[test]
fn descriptors_are_closed_but_for_those_to_be_kept() {
    inside(CLOSED, &["env"], || {
        let null = fs::File::open("/dev/null").expect("a device");
        let held: Vec<_> = (3..=40)
            .map(|number| rustix::io::fcntl_dupfd_cloexec(&null, number).expect("a descriptor"))
            .collect();
        let flags = |number: i32| {
            let flags = fs::read_to_string(format!("/proc/self/fdinfo/{number}")).ok()?;
            let flags =
                flags.lines().find_map(|line| line.strip_prefix("flags:"))?.trim().to_owned();
            i32::from_str_radix(&flags, 8).ok().map(|flags| flags & libc::O_CLOEXEC != 0)
        };
        for one in &held {
            rustix::io::fcntl_setfd(one, rustix::io::FdFlags::empty()).expect("it is open");
        }
        assert_eq!(flags(7), Some(false), "to begin with it is kept");
        close_descriptors(2).expect("they are marked");
        assert_eq!([4, 5, 40].map(flags), [Some(false), Some(true), Some(true)]);
        assert_eq!(flags(1), Some(false));
    });
}
