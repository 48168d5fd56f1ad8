//! Guests that look for a way out, or for more than they were given.

use std::os::unix::fs::symlink;
use std::sync::atomic::AtomicBool;
use std::thread;

use super::*;

#[test]
fn links_and_dots_stay_in_the_tree() {
    let scratch = Scratch::new();
    let (data, outside) = (scratch.dir("data"), scratch.dir("outside"));
    fs::write(outside.join("secret"), "secret").unwrap();
    symlink(&outside, data.join("absolute")).unwrap();
    symlink("../outside", data.join("relative")).unwrap();
    symlink("../outside/secret", data.join("file")).unwrap();
    symlink("loop", data.join("loop")).unwrap();
    let (mut files, root) = files(vec![Mount::read_write(&data, "/data")]);
    let host = outside.join("secret");
    for path in [
        "/data/absolute/secret",
        "/data/relative/secret",
        "/data/../../../outside/secret",
        "/data/file",
        host.to_str().unwrap(),
    ] {
        assert_eq!(errno(files.text(&root, path)), Errno::NoEntry, "{path}");
        let data = files.open(&root, b"data", READ).unwrap();
        assert_eq!(errno(files.text(&data, &path.replace("/data/", ""))), Errno::NoEntry);
    }
    symlink("/etc/hosts", data.join("inside")).unwrap();
    assert!(files.text(&root, "/data/inside").unwrap().starts_with(b"127.0.0.1"));
    // Through a link to nowhere a file is made where the link leads to here.
    let made = files.open(&root, b"/data/file", CREATE);
    assert_eq!(errno(made), Errno::NoEntry);
    assert_eq!(errno(files.text(&root, "/data/loop")), Errno::Loop);
    assert_eq!(files.names(&root, "/data/../.."), ["data", "dev", "etc", "tmp"]);
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn a_directory_that_is_swapped_for_a_link_leads_nowhere() {
    let scratch = Scratch::new();
    let (data, outside) = (scratch.dir("data"), scratch.dir("outside"));
    fs::write(outside.join("file"), "sentinel").unwrap();
    let real = scratch.dir("data/door");
    fs::write(real.join("file"), "inside").unwrap();
    symlink(&outside, data.join("link")).unwrap();
    let (mut files, root) = files(vec![Mount::read_write(&data, "/data")]);
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            let (door, link, spare) = (data.join("door"), data.join("link"), data.join("spare"));
            while !over.load(Ordering::Relaxed) {
                fs::rename(&door, &spare).unwrap();
                fs::rename(&link, &door).unwrap();
                fs::rename(&door, &link).unwrap();
                fs::rename(&spare, &door).unwrap();
            }
        });
        let (mut reached, mut rounds) = (0, 0);
        while rounds < 1000 || reached == 0 {
            rounds += 1;
            if let Ok(text) = files.text(&root, "/data/door/file") {
                assert_ne!(text, b"sentinel");
                reached += 1;
            }
            if let Ok(file) = files.open(&root, b"/data/door/file", WRITE) {
                files.write(&file, Place::At(0), b"INSIDE").unwrap();
            }
            let _ = files.open(&root, b"/data/door/new", CREATE);
            let _ = files.unlink(&root, b"/data/door/new");
        }
        over.store(true, Ordering::Relaxed);
    });
    assert_eq!(fs::read(outside.join("file")).unwrap(), b"sentinel");
    assert_eq!(fs::read_dir(&outside).unwrap().count(), 1);
}

#[test]
fn nothing_read_only_is_changed_or_linked_to_where_it_could_be() {
    let scratch = Scratch::new();
    fs::write(scratch.dir("ro").join("file"), "text").unwrap();
    scratch.dir("rw");
    let (mut files, root) = files(vec![
        Mount::read_only(scratch.0.join("ro"), "/ro"),
        Mount::read_write(scratch.0.join("rw"), "/rw"),
        Mount::read_write(scratch.0.join("ro"), "/again"),
    ]);
    let file = b"/ro/file".as_slice();
    assert_eq!(errno(files.open(&root, file, OpenHow { truncate: true, ..READ })), Errno::ReadOnly);
    assert_eq!(errno(files.open(&root, file, WRITE)), Errno::ReadOnly);
    assert_eq!(errno(files.open(&root, b"/ro/new", CREATE)), Errno::ReadOnly);
    assert_eq!(errno(files.create_dir(&root, b"/ro/new")), Errno::ReadOnly);
    assert_eq!(errno(files.symlink(b"file", &root, b"/ro/new")), Errno::ReadOnly);
    assert_eq!(errno(files.unlink(&root, file)), Errno::ReadOnly);
    let times = files.set_times_at(&root, file, true, NewTime::Now, NewTime::Now);
    assert_eq!(errno(times), Errno::ReadOnly);
    for to in [b"/rw/file".as_slice(), b"/tmp/file", b"/again/new"] {
        assert_eq!(errno(files.link((&root, file), (&root, to))), Errno::CrossDevice);
        assert_eq!(errno(files.rename((&root, file), (&root, to))), Errno::CrossDevice);
    }
    files.put(&root, "/rw/mine", b"mine").unwrap();
    let (mine, beside) = (b"/rw/mine".as_slice(), b"/ro/b".as_slice());
    assert_eq!(errno(files.link((&root, mine), (&root, beside))), Errno::CrossDevice);
    assert_eq!(errno(files.rename((&root, mine), (&root, file))), Errno::CrossDevice);
    assert_eq!(errno(files.link((&root, file), (&root, beside))), Errno::ReadOnly);
    assert_eq!(errno(files.rename((&root, file), (&root, beside))), Errno::ReadOnly);
    let open = files.open(&root, file, READ).unwrap();
    assert_eq!(errno(files.write(&open, Place::End, b"x")), Errno::BadDescriptor);
    assert_eq!(errno(files.resize(&open, 0)), Errno::Invalid);
    assert_eq!(errno(files.symlink(b"/etc", &root, b"/rw/link")), Errno::NotPermitted);
    assert_eq!(fs::read(scratch.0.join("ro/file")).unwrap(), b"text");
    assert_eq!(fs::read_dir(scratch.0.join("ro")).unwrap().count(), 1);
}

#[test]
fn what_is_no_file_is_not_opened_and_nobody_waits_for_it() {
    let scratch = Scratch::new();
    make_fifo(&scratch.0.join("fifo"));
    let _socket = std::os::unix::net::UnixListener::bind(scratch.0.join("socket")).unwrap();
    let (mut files, root) = files(vec![Mount::read_write(&scratch.0, "/data")]);
    for path in [b"/data/fifo".as_slice(), b"/data/socket"] {
        assert_eq!(files.stat_at(&root, path, true).unwrap().kind, FileType::Other);
        for how in [READ, WRITE, CREATE] {
            assert_eq!(errno(files.open(&root, path, how)), Errno::Access);
        }
    }
}

#[test]
fn a_hundred_thousand_entries_are_listed_one_by_one() {
    const COUNT: usize = 100_000;
    let scratch = Scratch::new();
    let (data, file) = (scratch.dir("data"), scratch.0.join("file"));
    // Links cost less than files, up to what the file system can count.
    for n in 0..COUNT {
        if n % 10_000 == 0 {
            let _ = fs::remove_file(&file);
            fs::write(&file, "").unwrap();
        }
        fs::hard_link(&file, data.join(n.to_string())).unwrap();
    }
    let (mut files, root) = files(vec![Mount::read_only(&data, "/data")]);
    let dir = files.open(&root, b"/data", READ).unwrap();
    let (mut seen, mut cookie) = (std::collections::HashSet::new(), 0);
    while let Some(entry) = files.read_dir(&dir, cookie).unwrap() {
        assert!(seen.insert(entry.name));
        // A guest whose buffer was full asks for the same entry again.
        if seen.len() % 1000 == 0 {
            assert_eq!(files.read_dir(&dir, cookie).unwrap().unwrap().next, entry.next);
        }
        cookie = entry.next;
    }
    assert_eq!(seen.len(), COUNT);
}

#[test]
fn sizes_at_the_end_of_numbers_are_refused_or_cost_nothing() {
    let scratch = Scratch::new();
    let mut policy = policy(vec![Mount::read_write(&scratch.0, "/data")]);
    let limit = 64 << 20;
    // A hole in a bound file counts.
    policy.limits.disk = Bytes(2 * limit).into();
    let stop = Stop::Limit { control: Control::FileSize, limit, observed: limit };
    let mut limited = files_of(&policy);
    policy.limits.file_size = Limit::Unlimited;
    let mut free = files_of(&policy);
    for path in ["/tmp/file", "/data/file"] {
        let root = limited.root();
        let file = limited.put(&root, path, b"x").unwrap();
        for size in [limit + 1, i64::MAX as u64] {
            assert_eq!(limited.resize(&file, size), Err(FileError::Stop(stop)));
            let beyond = limited.write(&file, Place::At(size), b"x");
            assert_eq!(beyond, Err(FileError::Stop(stop)));
        }
        assert_eq!(limited.write(&file, Place::At(limit - 1), b"xy").unwrap(), (1, limit));
        for size in [u64::MAX, 1 << 63] {
            assert_eq!(errno(limited.resize(&file, size)), Errno::Invalid);
            assert_eq!(errno(limited.write(&file, Place::At(size), b"x")), Errno::Invalid);
            assert_eq!(errno(limited.read(&file, size, &mut [0])), Errno::Invalid);
        }
        let root = free.root();
        let file = free.put(&root, path, b"x").unwrap();
        let last = i64::MAX as u64;
        let beyond = errno(free.write(&file, Place::At(last), b"x"));
        assert_eq!(beyond, Errno::FileTooLarge);
        if path.starts_with("/tmp") {
            free.resize(&file, last).unwrap();
            assert_eq!(free.write(&file, Place::At(last - 1), b"xy").unwrap(), (1, last));
            free.resize(&file, 0).unwrap();
        }
    }
}

#[test]
fn open_files_are_counted_and_given_back() {
    let mut policy = Policy::default();
    policy.limits.open_files = Limit::At(8);
    let mut files = files_of(&policy);
    let root = files.root();
    let mut open: Vec<_> = (0..4).map(|_| files.open(&root, b"/dev/null", READ).unwrap()).collect();
    assert_eq!(files.refused().open_files, None);
    assert_eq!(errno(files.open(&root, b"/tmp/file", CREATE)), Errno::TooManyFiles);
    assert_eq!(files.refused().open_files, Some(8));
    open.pop();
    assert_eq!(errno(files.open(&root, b"/tmp/file", READ)), Errno::NoEntry);
    files.open(&root, b"/tmp/file", CREATE).unwrap();
}

#[test]
fn floods_of_bytes_names_and_links_end_at_the_disk_limit() {
    let scratch = Scratch::new();
    let mut policy = policy(vec![
        Mount::read_write(&scratch.0, "/data"),
        Mount::tmpfs("/own", Some(Bytes(1 << 20))),
    ]);
    policy.limits.disk = Bytes(2 << 20).into();
    type Flood = fn(&mut Files, &Descriptor, &str) -> Outcome<()>;
    let floods: [Flood; 5] = [
        |files, root, name| files.put(root, name, &[1; 4096]).map(drop),
        |files, root, name| files.put(root, name, b"").map(drop),
        |files, root, name| files.create_dir(root, name.as_bytes()),
        |files, root, name| files.symlink(&[b'a'; 4000], root, name.as_bytes()),
        |files, root, name| {
            let first = name[..name.rfind('/').unwrap() + 1].to_owned() + "0";
            match name.ends_with("/0") {
                true => files.put(root, name, b"").map(drop),
                false => files.link((root, first.as_bytes()), (root, name.as_bytes())),
            }
        },
    ];
    for flood in floods {
        for dir in ["/tmp", "/own", "/data"] {
            let _ = fs::remove_dir_all(&scratch.0);
            fs::create_dir(&scratch.0).unwrap();
            let mut files = files_of(&policy);
            let root = files.root();
            let made = (0..10_000)
                .map(|n| flood(&mut files, &root, &format!("{dir}/{n}")))
                .take_while(Result::is_ok)
                .count();
            assert!((1..=256).contains(&made), "{made} in {dir}");
            assert!(files.refused().disk >= Some(1 << 20), "{:?}", files.refused());
            // The other share is not touched.
            let other = if dir == "/own" { "/tmp/file" } else { "/own/file" };
            files.put(&root, other, &[1; 4096]).unwrap();
        }
    }
}

#[test]
fn space_comes_back_when_the_last_descriptor_of_a_file_without_a_name_is_closed() {
    let mut policy = Policy::default();
    policy.limits.disk = Bytes(64 << 10).into();
    let mut files = files_of(&policy);
    let root = files.root();
    for _ in 0..10 {
        let file = files.put(&root, "/tmp/file", &[7; 60 << 10]).unwrap();
        files.unlink(&root, b"/tmp/file").unwrap();
        assert_eq!(files.stat(&file).unwrap().links, 0);
        let other = files.open(&root, b"/tmp/other", CREATE).unwrap();
        assert_eq!(files.write(&other, Place::End, &[7; 60 << 10]).unwrap().0, 4 << 10);
        files.unlink(&root, b"/tmp/other").unwrap();
    }
}

#[test]
fn a_tree_deeper_than_the_stack_is_made_and_dropped() {
    let mut policy = Policy::default();
    policy.limits.disk = Limit::Unlimited;
    let mut files = files_of(&policy);
    let root = files.root();
    files.create_dir(&root, b"/tmp/a").unwrap();
    // What is too deep for a path is made by moving: each round puts the tree into a new one.
    for _ in 0..100_000 {
        files.create_dir(&root, b"/tmp/b").unwrap();
        files.rename((&root, b"/tmp/a"), (&root, b"/tmp/b/a")).unwrap();
        files.rename((&root, b"/tmp/b"), (&root, b"/tmp/a")).unwrap();
    }
    let deep = b"/a".repeat(2040);
    files.stat_at(&root, &[b"/tmp", &*deep].concat(), true).unwrap();
    assert_eq!(errno(files.stat_at(&root, &b"/a".repeat(2049), true)), Errno::NameTooLong);
    let cycle = files.rename((&root, b"/tmp/a"), (&root, b"/tmp/a/a/a/b"));
    assert_eq!(errno(cycle), Errno::Invalid);
}

#[test]
fn a_directory_that_was_removed_takes_no_files() {
    let (mut files, root) = files(vec![]);
    files.create_dir(&root, b"/tmp/d").unwrap();
    let dir = files.open(&root, b"/tmp/d", READ).unwrap();
    files.remove_dir(&root, b"/tmp/d").unwrap();
    assert_eq!(errno(files.open(&dir, b"file", CREATE)), Errno::NoEntry);
    assert_eq!(errno(files.open(&dir, b"../d/file", CREATE)), Errno::NoEntry);
    files.put(&root, "/tmp/file", b"x").unwrap();
    let moved = files.rename((&root, b"/tmp/file"), (&dir, b"file"));
    assert_eq!(errno(moved), Errno::NoEntry);
}

#[test]
fn open_files_without_a_limit_are_not_without_end() {
    let mut policy = Policy::default();
    policy.limits.open_files = Limit::Unlimited;
    let mut files = files_of(&policy);
    let root = files.root();
    let open =
        (0..100_000).map_while(|_| files.open(&root, b"/tmp", READ).ok()).collect::<Vec<_>>();
    assert!(open.len() < 10_000, "{}", open.len());
}
