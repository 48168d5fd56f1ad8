//! A console socket: where a runtime sends the master of a terminal that it has made.

use std::fs::File;
use std::io::{IoSliceMut, Read};
use std::mem::MaybeUninit;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};

use rustix::net::{RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, recvmsg};

/// A socket that listens for one terminal.
pub(crate) struct ConsoleSocket {
    listener: UnixListener,
    path: PathBuf,
}

impl ConsoleSocket {
    pub(crate) fn new(path: PathBuf) -> Self {
        Self { listener: UnixListener::bind(&path).expect("a socket"), path }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The terminal's master, which must have been sent.
    pub(crate) fn terminal(&self) -> File {
        let (stream, _) = self.listener.accept().expect("a connection");
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut control = RecvAncillaryBuffer::new(&mut space);
        let mut name = [0; 4096];
        let mut buffers = [IoSliceMut::new(&mut name)];
        let received = recvmsg(&stream, &mut buffers, &mut control, RecvFlags::CMSG_CLOEXEC);
        assert!(received.expect("a message").bytes > 0, "engines read the terminal's name");
        let mut fds = control.drain().filter_map(|message| match message {
            RecvAncillaryMessage::ScmRights(fds) => Some(fds),
            _ => None,
        });
        File::from(fds.next().and_then(|mut fds| fds.next()).expect("a descriptor"))
    }
}

/// Reads a terminal until its last slave is closed, which it reports as an error of its own.
pub(crate) fn read_all(mut terminal: &File) -> String {
    let (mut text, mut part) = (Vec::new(), [0; 4096]);
    while let Ok(count @ 1..) = terminal.read(&mut part) {
        text.extend_from_slice(&part[..count]);
    }
    String::from_utf8_lossy(&text).into_owned()
}
