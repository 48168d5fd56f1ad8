//! Sockets: the host's, the neighbours', and those nobody needs.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::net::{SocketAddr, UnixListener};

use stockade_core::{NetworkMode, Policy, Result, Verdict};

use super::{Check, Control, Finding, never, own_scratch, refused};
use crate::arena::{Arena, Bout};
use crate::sentinel::{Marker, unstaged};

pub(super) const fn machine_socket() -> Check {
    refused(
        "opens a socket to the hypervisor, which no namespace divides",
        "AF_VSOCK",
        Control::Network,
    )
}

pub(super) const fn packet_socket() -> Check {
    refused("opens sockets that see and forge packets", "CVE-2020-14386", Control::Network)
}

pub(super) const fn rare_sockets() -> Check {
    refused(
        "opens sockets of families where flaws of the kernel are found",
        "CVE-2022-27666",
        Control::Network,
    )
}

pub(super) const fn abstract_socket() -> Check {
    Check {
        story: "connects to a socket of the host that has a name but no file",
        class: "CVE-2020-15257",
        wall: Control::Network,
        long: false,
        exempt: old_host_network,
        play: |arena| {
            let marker = Marker::new();
            let address = SocketAddr::from_abstract_name(marker.word()).map_err(unstaged)?;
            let _listener = UnixListener::bind_addr(&address).map_err(unstaged)?;
            arena.bout().arg(marker.word()).refused()
        },
    }
}

/// Landlock keeps these names apart where the network is shared, from Linux 6.12 on.
fn old_host_network(policy: &Policy) -> Option<&'static str> {
    (policy.network.mode == NetworkMode::Host)
        .then_some("the policy shares the host's network, and some kernels these names with it")
}

fn shared_network(policy: &Policy) -> Option<&'static str> {
    (policy.network.mode == NetworkMode::Host).then_some("the policy shares the host's network")
}

pub(super) const fn host_loopback() -> Check {
    Check {
        story: "connects to a server on the host's loopback interface",
        class: "server-side request forgery",
        wall: Control::Network,
        long: false,
        exempt: shared_network,
        play: |arena| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(unstaged)?;
            let port = listener.local_addr().map_err(unstaged)?.port();
            arena.bout().arg(port.to_string()).refused()
        },
    }
}

pub(super) const fn neighbour_name() -> Check {
    let check = neighbour(
        "meets a second sandbox at a socket with a name but no file",
        Control::Network,
        |arena| {
            let marker = Marker::new();
            meeting(arena, marker.word(), |bout| bout)
        },
    );
    Check { exempt: shared_network, ..check }
}

pub(super) const fn host_connections() -> Check {
    Check {
        story: "looks for a server of the host's in the kernel's tables of connections",
        class: "information leak",
        wall: Control::Network,
        long: false,
        exempt: shared_network,
        play: |arena| {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(unstaged)?;
            let port = listener.local_addr().map_err(unstaged)?.port();
            // As proc_net_tcp(5) has it: the address as a number of this machine's.
            let address = u32::from_ne_bytes(Ipv4Addr::LOCALHOST.octets());
            arena.bout().arg(format!("{address:08X}:{port:04X}")).refused()
        },
    }
}

pub(super) const fn neighbour_loopback() -> Check {
    let check =
        neighbour("meets a second sandbox on the loopback interface", Control::Network, |arena| {
            // A port that is free now: nobody else listens there, or both would meet somebody else.
            let free =
                TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
            on_loopback(arena, free.map_err(unstaged)?.port())
        });
    Check { exempt: shared_network, ..check }
}

pub(super) const fn neighbour_datagram() -> Check {
    let check = neighbour(
        "sends a second sandbox datagrams on the loopback interface",
        Control::Network,
        |arena| {
            let free = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|free| free.local_addr());
            on_loopback(arena, free.map_err(unstaged)?.port())
        },
    );
    Check { exempt: shared_network, ..check }
}

/// A meeting of two that have a loopback interface each.
fn on_loopback(arena: &Arena<'_>, port: u16) -> Result<Finding> {
    meeting(arena, &port.to_string(), |bout| {
        bout.policy(|policy| policy.network.mode = NetworkMode::Loopback)
    })
}

pub(super) const fn neighbour_memory() -> Check {
    neighbour("meets a second sandbox in System V shared memory", Control::Ipc, |arena| {
        meeting(arena, &std::process::id().to_string(), |bout| bout)
    })
}

pub(super) const fn neighbour_file() -> Check {
    let check =
        neighbour("meets a second sandbox at a file in /tmp", Control::Filesystem, |arena| {
            let marker = Marker::new();
            let path = format!("/tmp/{}", marker.word());
            let finding = meeting(arena, &path, |bout| bout);
            // It is there only if the two were no sandboxes.
            let _ = std::fs::remove_file(path);
            finding
        });
    Check { exempt: own_scratch, ..check }
}

const fn neighbour(
    story: &'static str,
    wall: Control,
    play: fn(&Arena<'_>) -> Result<Finding>,
) -> Check {
    Check { story, class: "sandbox to sandbox", wall, long: false, exempt: never, play }
}

/// Runs two at once: one offers a place, the other looks for it.
fn meeting<'a>(
    arena: &Arena<'a>,
    place: &str,
    change: fn(Bout<'a>) -> Bout<'a>,
) -> Result<Finding> {
    let bout = |role: &str| change(arena.bout().arg(role).arg(place));
    let mut taken = None;
    let offered = bout("offer").run_with(|| taken = Some(bout("take").run()))?;
    let taken = match taken {
        Some(taken) => taken?,
        None => return Ok(Finding::NotApplicable("there was nobody to meet".to_owned())),
    };
    // Who could offer nothing was not met for another reason; where that is refused, it is held.
    Ok(match (&offered.verdict, &taken.verdict) {
        (Verdict::Exited { code: 0 }, _) => taken.refused(),
        (_, Verdict::Exited { code: 0 }) => taken.refused(),
        _ => offered.refused(),
    })
}
