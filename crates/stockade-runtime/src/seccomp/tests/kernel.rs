//! Filters in a kernel. One binds the thread that installs it, and what that starts.

use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::net::UnixListener;
use std::process::Command;
use std::sync::mpsc::channel;
use std::{env, fs, process, thread};

use rustix::fs::{MemfdFlags, SeekFrom, memfd_create, seek};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SocketType, recvmsg,
    socket,
};
use rustix::process::{PidfdFlags, PidfdGetfdFlags, getpid, pidfd_getfd, pidfd_open};
use rustix::thread::set_no_new_privs;

use super::*;
use crate::sys::seccomp::install;

/// What `probe` finds in a thread with this filter; it is given the listener.
fn under<T: Send>(filter: &Filter, probe: impl FnOnce(Option<OwnedFd>) -> T + Send) -> T {
    thread::scope(|scope| {
        let thread = scope.spawn(|| {
            set_no_new_privs(true).expect("everybody may");
            probe(install(filter).expect("the kernel takes it"))
        });
        thread.join().expect("the probe does not panic")
    })
}

fn fixture() -> Value {
    serde_json::from_str(FIXTURE).expect("it is JSON")
}

fn socket_of(family: u16) -> Result<(), Errno> {
    socket(AddressFamily::from_raw(family), SocketType::DGRAM, None).map(drop)
}

fn copied_stdin() -> Result<(), Errno> {
    let own = pidfd_open(getpid(), PidfdFlags::empty()).expect("this process is there");
    pidfd_getfd(own, 0, PidfdGetfdFlags::empty()).map(drop)
}

#[test]
fn a_config_like_an_engines_lets_programs_run_and_refuses_what_it_leaves_out() {
    const VSOCK: u16 = 40;
    let [unix, vsock, copied, ran] = under(&filter(fixture()), |_| {
        let ran = Command::new("/bin/sh").args(["-c", "test -d / && echo $(echo x)"]).output();
        let ran = ran.map(|output| output.stdout).map_err(|_| Errno::NOEXEC);
        let ran = ran.and_then(|it| if it == b"x\n" { Ok(()) } else { Err(Errno::CANCELED) });
        [socket_of(AddressFamily::UNIX.as_raw()), socket_of(VSOCK), copied_stdin(), ran]
    });
    assert_eq!((unix, ran), (Ok(()), Ok(())));
    assert_eq!([vsock, copied], [Err(Errno::PERM); 2]);
}

#[test]
fn a_call_newer_than_those_of_the_config_looks_absent() {
    // What came after pidfd_getfd.
    const NEWER: [&str; 10] = [
        "cachestat",
        "epoll_pwait2",
        "faccessat2",
        "fchmodat2",
        "futex_waitv",
        "landlock_add_rule",
        "landlock_create_ruleset",
        "landlock_restrict_self",
        "memfd_secret",
        "process_mrelease",
    ];
    let mut config = fixture();
    let names = config["syscalls"][0]["names"].as_array_mut().expect("it is a list");
    names.retain(|name| !NEWER.contains(&name.as_str().expect("it is text")));
    assert_eq!(under(&filter(config), |_| copied_stdin()), Err(Errno::NOSYS));
}

#[test]
fn the_kernel_compares_whole_arguments() {
    let config = json!({
        "defaultAction": "SCMP_ACT_ALLOW",
        "syscalls": [{
            "names": ["lseek"],
            "action": "SCMP_ACT_ERRNO",
            "errnoRet": 18,
            "args": [
                { "index": 1, "value": 0x1_0000_0000_u64, "op": "SCMP_CMP_GT" },
                { "index": 2, "value": 0, "op": "SCMP_CMP_EQ" },
            ],
        }],
    });
    let found = under(&filter(config), |_| {
        let file = memfd_create("lseek", MemfdFlags::CLOEXEC).expect("memory is there");
        [7, 0xffff_ffff, 0x1_0000_0000, 0x1_0000_0001, 0x2_0000_0000]
            .map(|place| seek(&file, SeekFrom::Start(place)))
    });
    let refused = Err(Errno::XDEV);
    assert_eq!(found, [Ok(7), Ok(0xffff_ffff), Ok(0x1_0000_0000), refused, refused]);
}

#[test]
fn every_flag_is_one_the_kernel_knows() {
    for action in ["SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY"] {
        let mut config = one_rule(action, &["acct"]);
        config["flags"] = json!([
            "SECCOMP_FILTER_FLAG_LOG",
            "SECCOMP_FILTER_FLAG_SPEC_ALLOW",
            "SECCOMP_FILTER_FLAG_TSYNC",
            "SECCOMP_FILTER_FLAG_WAIT_KILLABLE_RECV",
        ]);
        let listens = under(&filter(config), |listener| listener.is_some());
        assert_eq!(listens, action == "SCMP_ACT_NOTIFY");
    }
}

#[test]
fn stockades_walls_are_stacked_above_the_configs() {
    let config = json!({ "defaultAction": "SCMP_ACT_ALLOW" });
    let found = under(&filter(config), |_| {
        let before = copied_stdin();
        install(&walls()).expect("the kernel takes it");
        [before, copied_stdin()]
    });
    assert_eq!(found, [Ok(()), Err(Errno::PERM)]);
}

#[test]
fn a_filter_that_is_none_is_an_error() {
    let filter = Filter { bytes: [0xff; 8].into(), flags: 0, listener: None };
    let error = thread::spawn(move || {
        set_no_new_privs(true).expect("everybody may");
        install(&filter).expect_err("it is no instruction").to_string()
    });
    let error = error.join().expect("it does not panic");
    assert!(error.starts_with("installing the seccomp filter"), "{error}");
    assert!(error.contains("Invalid argument"), "{error}");
}

/// An agent's socket in a folder of its own, which goes with it.
struct Agent {
    socket: UnixListener,
    path: PathBuf,
}

impl Agent {
    fn new() -> Self {
        let folder = env::temp_dir().join(format!("stockade-seccomp-agent-{}", process::id()));
        fs::create_dir(&folder).expect("the folder is new");
        let path = folder.join("socket");
        Self { socket: UnixListener::bind(&path).expect("the folder is there"), path }
    }

    /// A descriptor and what was sent with it.
    fn receive(&self) -> (OwnedFd, Value) {
        let (mut stream, _) = self.socket.accept().expect("somebody connects");
        let mut bytes = vec![0; 16];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut ancillary = RecvAncillaryBuffer::new(&mut space);
        let mut parts = [IoSliceMut::new(&mut bytes)];
        let received = recvmsg(&stream, &mut parts, &mut ancillary, RecvFlags::CMSG_CLOEXEC);
        bytes.truncate(received.expect("something is sent").bytes);
        let descriptor = ancillary.drain().find_map(|message| match message {
            RecvAncillaryMessage::ScmRights(mut descriptors) => descriptors.next(),
            _ => None,
        });
        stream.read_to_end(&mut bytes).expect("the sender closes");
        let state = serde_json::from_slice(&bytes).expect("it is JSON");
        (descriptor.expect("one is sent"), state)
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let folder = self.path.parent().expect("it has one");
        fs::remove_dir_all(folder).expect("it is this agent's own");
    }
}

#[test]
fn the_agent_gets_the_listener_and_is_told_whose_it_is() {
    let agent = Agent::new();
    let mut config = one_rule("SCMP_ACT_NOTIFY", &["pidfd_getfd"]);
    config["listenerPath"] = json!(agent.path);
    config["listenerMetadata"] = json!("KEY=value");
    let filter = filter(config);
    let listener = filter.listener.as_ref().expect("there is an agent");
    let connected = listener.connect().expect("the agent is there");
    let connected = &connected;
    let state = r#"{"ociVersion":"1.0.2","id":"one","status":"created","pid":4711,"bundle":"/b"}"#;
    let found = thread::scope(|scope| {
        let filter = &filter;
        // Here, so that a thread that panics ends what the other one waits for.
        let [(sent, arrived), (looked, answered)] = [channel::<()>(), channel::<()>()];
        let thread = scope.spawn(move || {
            under(filter, move |descriptor| {
                let descriptor = descriptor.expect("there are notifications");
                let listener = filter.listener.as_ref().expect("there is an agent");
                listener
                    .send(connected, descriptor.as_fd(), 4711, state)
                    .expect("the agent is there");
                drop(descriptor);
                sent.send(()).expect("the agent waits");
                answered.recv().expect("the agent has looked");
                copied_stdin()
            })
        });
        arrived.recv().expect("it is sent");
        let (descriptor, told) = agent.receive();
        let kind = fs::read_link(format!("/proc/self/fd/{}", descriptor.as_raw_fd()));
        assert_eq!(kind.expect("it is open").to_str(), Some("anon_inode:seccomp notify"));
        let expected = json!({
            "ociVersion": "1.0.2",
            "fds": ["seccompFd"],
            "pid": 4711,
            "metadata": "KEY=value",
            "state": {
                "ociVersion": "1.0.2", "id": "one", "status": "created", "pid": 4711, "bundle": "/b",
            },
        });
        assert_eq!(told, expected);
        // Where nobody listens any more, calls that are left to him look absent.
        drop(descriptor);
        looked.send(()).expect("the thread waits");
        thread.join().expect("it does not panic")
    });
    assert_eq!(found, Err(Errno::NOSYS));
}

#[test]
fn an_agent_that_is_not_there_is_named() {
    let listener = Listener { path: "/nonexistent/agent.sock".into(), metadata: None };
    let error = listener.connect().expect_err("nobody is there");
    assert!(error.to_string().contains("/nonexistent/agent.sock"), "{error}");
}
