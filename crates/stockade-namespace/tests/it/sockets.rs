//! Sockets, and what listens on the other side of a wall.

use std::io::Read;
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener, UnixStream};

use stockade_conformance::Job;
use stockade_core::{NetworkMode, Stdio, Verdict};
use stockade_guests as guests;

use crate::machine::{Subject, scopes_sockets, subject};
use crate::view::printed;

const REFUSED: Verdict = Verdict::Exited { code: 3 };
const MODES: [NetworkMode; 3] = [NetworkMode::None, NetworkMode::Loopback, NetworkMode::Host];

/// A name for an abstract socket that nobody else uses.
fn name(what: &str) -> String {
    format!("stockade-test-{what}-{}", std::process::id())
}

fn connect(subject: &Subject, name: &str, mode: NetworkMode) -> Verdict {
    let job = Job::new(subject, &guests::ABSTRACT_CONNECT).args([name]);
    job.policy(|policy| policy.network.mode = mode).run().verdict
}

#[test]
fn an_abstract_socket_of_the_host_is_out_of_reach() {
    let Some(subject) = subject() else { return };
    let name = name("host");
    let address = SocketAddr::from_abstract_name(&name).expect("a short name");
    let _listener = UnixListener::bind_addr(&address).expect("the name is free");
    UnixStream::connect_addr(&address).expect("the host itself can connect");
    for mode in MODES {
        if mode == NetworkMode::Host && !scopes_sockets(&subject) {
            continue;
        }
        assert_eq!(connect(&subject, &name, mode), REFUSED, "{mode:?}");
    }
}

#[test]
fn two_sandboxes_do_not_reach_each_others_abstract_sockets() {
    let Some(subject) = subject() else { return };
    for mode in MODES {
        if mode == NetworkMode::Host && !scopes_sockets(&subject) {
            continue;
        }
        let name = name(&format!("{mode:?}"));
        let mut listener = Job::new(&subject, &guests::ABSTRACT_LISTEN)
            .args([&name, "60000"])
            .policy(|policy| policy.network.mode = mode)
            .start(Stdio::streamed());
        let mut said = [0; 10];
        let mut output = listener.stdout().expect("output is streamed");
        output.read_exact(&mut said).expect("it listens");
        assert_eq!(&said, b"listening\n");
        assert_eq!(connect(&subject, &name, mode), REFUSED, "{mode:?}");
        listener.killer().kill();
        let report = Job::wait(listener).expect("the run is reported");
        assert_eq!(report.verdict, Verdict::Cancelled, "it was there all the time");
    }
}

#[test]
fn loopback_works_where_it_was_asked_for() {
    let Some(subject) = subject() else { return };
    for (mode, verdict) in
        [(NetworkMode::Loopback, Verdict::Exited { code: 0 }), (NetworkMode::None, REFUSED)]
    {
        let report =
            Job::new(&subject, &guests::TCP_SELF).policy(|policy| policy.network.mode = mode).run();
        assert_eq!(report.verdict, verdict, "{mode:?}: {}", printed(&report));
    }
}

#[test]
fn families_that_no_namespace_holds_are_refused() {
    let Some(subject) = subject() else { return };
    let families = [
        ("ax25", libc::AF_AX25),
        ("key", libc::AF_KEY),
        ("netlink", libc::AF_NETLINK),
        ("packet", libc::AF_PACKET),
        ("can", libc::AF_CAN),
        ("tipc", libc::AF_TIPC),
        ("rxrpc", libc::AF_RXRPC),
        ("alg", libc::AF_ALG),
        ("vsock", libc::AF_VSOCK),
        ("xdp", libc::AF_XDP),
    ];
    let open = |family: i32, mode: NetworkMode| {
        let job = Job::new(&subject, &guests::SOCKET_FAMILY).args([family.to_string()]);
        job.policy(|policy| policy.network.mode = mode).run()
    };
    for mode in MODES {
        assert!(open(libc::AF_UNIX, mode).verdict.success(), "{mode:?}");
        for (name, family) in families {
            let report = open(family, mode);
            assert_eq!(report.verdict, REFUSED, "{name} {mode:?}: {}", printed(&report));
        }
    }
    for family in [libc::AF_INET, libc::AF_INET6] {
        assert_eq!(open(family, NetworkMode::None).verdict, REFUSED);
        assert!(open(family, NetworkMode::Loopback).verdict.success());
    }
}
