//! What a starter leaves open or lying about.

use std::ffi::OsStr;
use std::fs::File;
use std::net::{Ipv4Addr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;

use rustix::io::{FdFlags, fcntl_setfd};

use super::{Check, Control, Finding, refused};
use crate::arena::Arena;
use crate::sentinel::{Folder, unstaged};

/// How many descriptors of each kind the host forgets.
const FORGOTTEN: usize = 17;

pub(super) const fn leaked_descriptors() -> Check {
    let story = "looks for open descriptors of its starter";
    let play = |arena: &Arena<'_>| {
        let folder = Folder::new()?;
        let secret = folder.file("secret", b"secret\n")?;
        let mut held: Vec<OwnedFd> = Vec::new();
        for _ in 0..FORGOTTEN {
            held.push(File::open(&secret).map_err(unstaged)?.into());
            held.push(File::open(folder.path()).map_err(unstaged)?.into());
            held.push(TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(unstaged)?.into());
        }
        for descriptor in &held {
            fcntl_setfd(descriptor, FdFlags::empty()).map_err(|error| unstaged(error.into()))?;
        }
        arena.bout().refused()
    };
    Check { play, ..refused(story, "CVE-2024-21626", Control::Filesystem) }
}

pub(super) const fn environment() -> Check {
    let story = "looks for a variable of its starter's environment";
    let play = |arena: &Arena<'_>| {
        let given = arena.policy().process.env;
        let given: Vec<u64> = given.iter().map(|(name, value)| digest(name, value)).collect();
        let own = std::env::vars_os().map(|(name, value)| digest(name, value));
        match own.into_iter().find(|digest| !given.contains(digest)) {
            Some(digest) => arena.bout().arg(digest.to_string()).refused(),
            None => Ok(Finding::NotApplicable("the host has no variable of its own".to_owned())),
        }
    };
    Check { play, ..refused(story, "information leak", Control::ProcessTree) }
}

/// FNV-1a of `NAME=value`, so that the attack need not be told what may be a secret.
fn digest(name: impl AsRef<OsStr>, value: impl AsRef<OsStr>) -> u64 {
    let text = [name.as_ref().as_bytes(), b"=", value.as_ref().as_bytes()].concat();
    text.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

pub(super) const fn kernel_addresses() -> Check {
    let story = "looks for addresses of the kernel and of the machine's memory";
    refused(story, "information leak", Control::Privileges)
}
