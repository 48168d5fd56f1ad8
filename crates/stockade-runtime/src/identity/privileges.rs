//! Groups and user of the process.

use rustix::fs::{self, FileType, Gid, Uid};
use rustix::io::Errno;
use rustix::{stdio, thread};

use super::Procfs;
use crate::failure::{Context as _, Failure, Outcome};

/// Gives the three standard streams to the user, who may then open them by name. Not /dev/null, which
/// is everybody's; and not where the host does not let them change hands.
pub(super) fn own_stdio(uid: Uid) -> Outcome<()> {
    for stream in [stdio::stdin(), stdio::stdout(), stdio::stderr()] {
        let Ok(about) = fs::fstat(stream) else { continue };
        let is_device = FileType::from_raw_mode(about.st_mode) == FileType::CharacterDevice;
        let is_null = is_device && about.st_rdev == fs::makedev(1, 3);
        if is_null || about.st_uid == uid.as_raw() {
            continue;
        }
        match fs::fchown(stream, Some(uid), None) {
            Ok(()) | Err(Errno::PERM | Errno::INVAL | Errno::ROFS) => {}
            Err(error) => {
                return Err(error).context(|| "unable to give the standard streams away".into());
            }
        }
    }
    Ok(())
}

/// Sets the groups to exactly these, then group and user.
pub(super) fn become_user(uid: Uid, gid: Gid, groups: &[Gid]) -> Outcome<()> {
    match thread::set_thread_groups(groups) {
        Ok(()) => {}
        // Nothing may be dropped here, and nothing was asked for.
        Err(Errno::PERM) if groups.is_empty() && groups_are_denied() => {}
        Err(Errno::PERM) if groups_are_denied() => {
            return Err(Failure::new(
                "cannot set any additional groups in a rootless container: \
                 /proc/self/setgroups says deny",
            ));
        }
        Err(error) => return Err(error).context(|| "unable to set groups".into()),
    }
    let mapped = |error: Errno, what: &str, id: u32| match error {
        Errno::INVAL => Failure::new(format!("{what} {id} is not mapped in the user namespace")),
        error => Failure::because(format!("unable to become {what} {id}"), error),
    };
    thread::set_thread_res_gid(gid, gid, gid)
        .map_err(|error| mapped(error, "gid", gid.as_raw()))?;
    thread::set_thread_res_uid(uid, uid, uid).map_err(|error| mapped(error, "uid", uid.as_raw()))
}

/// Whether this user namespace was made by somebody who may not set groups.
fn groups_are_denied() -> bool {
    let said = Procfs::open().and_then(|procfs| {
        procfs.read("thread-self/setgroups").context(|| "/proc/self/setgroups".into())
    });
    said.is_ok_and(|said| said.trim_ascii() == b"deny")
}
