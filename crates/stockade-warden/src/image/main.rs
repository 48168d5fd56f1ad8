//! The warden: a static program without a heap, one thread, one socket to its host.
//!
//! It is launched from a sealed memfd, steps away from its host so that the host's own children
//! are undisturbed, and then clones sandboxes on request until the socket ends. Each sandbox's
//! first process is a clone of the warden, builds the sandbox's world and stays as its init; the
//! init forks the workload, reaps everything, and reports.
//!
//! No text is parsed but numbers in kernel files, no length is trusted, nothing allocates.
#![no_std]
#![no_main]
#![allow(dead_code)]

#[path = "../wire/mod.rs"]
mod wire;

mod board;
mod copy;
mod groups;
mod house;
mod init;
mod layer;
mod plans;
mod pool;
mod room;
mod roots;
mod run;
mod sample;
mod serve;
mod settle;
mod setup;
mod slots;
mod spares;
mod sys;
mod text;
mod watch;
mod workload;

/// The socket to the host; the launcher put it here.
const HOST: sys::Fd = 0;

/// Where it begins; it takes no argument.
#[unsafe(no_mangle)]
extern "C" fn bare_main(_: *const usize) -> ! {
    // 0 is the socket; a threaded host may have leaked anything else.
    let _ = sys::close_between(3, sys::Fd::MAX);
    be_quiet();
    if let Err(errno) = probe() {
        sys::exit(errno.0);
    }
    // The launching process ends at once, so that the host's child is reaped here and now and the
    // warden is nobody's child to wait for.
    match sys::clone(0, false, None) {
        Ok(sys::Cloned::Child) => {}
        Ok(sys::Cloned::Parent { .. }) => sys::exit(0),
        Err(errno) => sys::exit(errno.0),
    }
    let _ = sys::new_session();
    sys::default_signals();
    sys::ordinary_scheduling();
    sys::set_umask(0);
    sys::set_name(b"stockade-warden\0");
    sys::raise_open_files();
    serve::serve()
}

/// Makes 1 and 2 nobody's: a launcher in between was given the image by the one and may have spoken
/// into the other. Without `/dev/null` they stay, and are never used.
fn be_quiet() {
    if let Ok(null) = sys::open_at(sys::AT_FDCWD, b"/dev/null\0", sys::O_RDWR, 0) {
        let _ = sys::dup_onto(null, 1);
        let _ = sys::dup_onto(null, 2);
        sys::close(null);
    }
}

/// Tries what every deadline depends on, and what nobody would miss until one is due.
fn probe() -> sys::Result<()> {
    let epoll = sys::epoll_create()?;
    sys::epoll_wait(epoll, &mut [sys::Event { events: 0, data: 0 }], Some(0))?;
    let own = sys::own_pidfd()?;
    sys::try_pidfd(own)?;
    [epoll, own].into_iter().for_each(sys::close);
    Ok(())
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    sys::exit(70)
}
