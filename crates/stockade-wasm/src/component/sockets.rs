//! `wasi:sockets`, of which a guest can make none: there is a network, and access to it is denied.

use wasmtime::component::{ComponentType, Lift, Linker, Lower, Resource};

use super::streams::IoError;
use super::{Misuse, function, resource};
use crate::wasi::Guest;

struct Network;
struct ResolveAddressStream;
struct TcpSocket;
struct UdpSocket;
struct IncomingDatagramStream;
struct OutgoingDatagramStream;

#[derive(Debug, Clone, Copy, ComponentType, Lower)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "one of them is ever answered, all of them are the type")]
enum ErrorCode {
    #[component(name = "unknown")]
    Unknown,
    #[component(name = "access-denied")]
    AccessDenied,
    #[component(name = "not-supported")]
    NotSupported,
    #[component(name = "invalid-argument")]
    InvalidArgument,
    #[component(name = "out-of-memory")]
    OutOfMemory,
    #[component(name = "timeout")]
    Timeout,
    #[component(name = "concurrency-conflict")]
    ConcurrencyConflict,
    #[component(name = "not-in-progress")]
    NotInProgress,
    #[component(name = "would-block")]
    WouldBlock,
    #[component(name = "invalid-state")]
    InvalidState,
    #[component(name = "new-socket-limit")]
    NewSocketLimit,
    #[component(name = "address-not-bindable")]
    AddressNotBindable,
    #[component(name = "address-in-use")]
    AddressInUse,
    #[component(name = "remote-unreachable")]
    RemoteUnreachable,
    #[component(name = "connection-refused")]
    ConnectionRefused,
    #[component(name = "connection-reset")]
    ConnectionReset,
    #[component(name = "connection-aborted")]
    ConnectionAborted,
    #[component(name = "datagram-too-large")]
    DatagramTooLarge,
    #[component(name = "name-unresolvable")]
    NameUnresolvable,
    #[component(name = "temporary-resolver-failure")]
    TemporaryResolverFailure,
    #[component(name = "permanent-resolver-failure")]
    PermanentResolverFailure,
}

#[derive(Debug, Clone, Copy, ComponentType, Lift)]
#[component(enum)]
#[repr(u8)]
#[expect(dead_code, reason = "only guests make them")]
enum AddressFamily {
    #[component(name = "ipv4")]
    V4,
    #[component(name = "ipv6")]
    V6,
}

/// Methods of what no guest has a handle of, by interface and resource. They are linked without a
/// type, since they cannot be called.
const METHODS: [(&str, &str, &[&str]); 5] = [
    (
        "tcp",
        "tcp-socket",
        &[
            "start-bind",
            "finish-bind",
            "start-connect",
            "finish-connect",
            "start-listen",
            "finish-listen",
            "accept",
            "local-address",
            "remote-address",
            "is-listening",
            "address-family",
            "set-listen-backlog-size",
            "keep-alive-enabled",
            "set-keep-alive-enabled",
            "keep-alive-idle-time",
            "set-keep-alive-idle-time",
            "keep-alive-interval",
            "set-keep-alive-interval",
            "keep-alive-count",
            "set-keep-alive-count",
            "hop-limit",
            "set-hop-limit",
            "receive-buffer-size",
            "set-receive-buffer-size",
            "send-buffer-size",
            "set-send-buffer-size",
            "subscribe",
            "shutdown",
        ],
    ),
    (
        "udp",
        "udp-socket",
        &[
            "start-bind",
            "finish-bind",
            "stream",
            "local-address",
            "remote-address",
            "address-family",
            "unicast-hop-limit",
            "set-unicast-hop-limit",
            "receive-buffer-size",
            "set-receive-buffer-size",
            "send-buffer-size",
            "set-send-buffer-size",
            "subscribe",
        ],
    ),
    ("udp", "incoming-datagram-stream", &["receive", "subscribe"]),
    ("udp", "outgoing-datagram-stream", &["check-send", "send", "subscribe"]),
    ("ip-name-lookup", "resolve-address-stream", &["resolve-next-address", "subscribe"]),
];

pub(super) fn link(linker: &mut Linker<Guest>) -> wasmtime::Result<()> {
    for interface in ["tcp", "udp", "ip-name-lookup"] {
        let mut instance = linker.instance(&format!("wasi:sockets/{interface}@0.2.12"))?;
        for (_, kind, methods) in METHODS.iter().filter(|(of, _, _)| *of == interface) {
            for method in *methods {
                instance.func_new(&format!("[method]{kind}.{method}"), |_, _, _, _| {
                    Err(Misuse::error("a socket that was never made"))
                })?;
            }
        }
        match interface {
            "tcp" => resource::<TcpSocket>(&mut instance, "tcp-socket")?,
            "udp" => {
                resource::<UdpSocket>(&mut instance, "udp-socket")?;
                resource::<IncomingDatagramStream>(&mut instance, "incoming-datagram-stream")?;
                resource::<OutgoingDatagramStream>(&mut instance, "outgoing-datagram-stream")?;
            }
            _ => {
                resource::<ResolveAddressStream>(&mut instance, "resolve-address-stream")?;
                function(
                    &mut instance,
                    "resolve-addresses",
                    |_, _: (Resource<Network>, String)| denied::<Resource<ResolveAddressStream>>(),
                )?;
            }
        }
    }
    let mut network = linker.instance("wasi:sockets/network@0.2.12")?;
    resource::<Network>(&mut network, "network")?;
    function(&mut network, "network-error-code", |_, _: (Resource<IoError>,)| {
        Ok(None::<ErrorCode>)
    })?;
    let mut instance = linker.instance("wasi:sockets/instance-network@0.2.12")?;
    function(&mut instance, "instance-network", |guest, ()| Ok(guest.table.push(Network)?))?;
    let mut tcp = linker.instance("wasi:sockets/tcp-create-socket@0.2.12")?;
    function(&mut tcp, "create-tcp-socket", |_, _: (AddressFamily,)| {
        denied::<Resource<TcpSocket>>()
    })?;
    let mut udp = linker.instance("wasi:sockets/udp-create-socket@0.2.12")?;
    function(&mut udp, "create-udp-socket", |_, _: (AddressFamily,)| {
        denied::<Resource<UdpSocket>>()
    })
}

fn denied<T>() -> wasmtime::Result<Result<T, ErrorCode>> {
    Ok(Err(ErrorCode::AccessDenied))
}
