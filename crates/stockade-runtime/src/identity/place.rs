//! Where the program starts, and what it finds open.

use std::path::Path;

use rustix::fs::{self, CWD, Mode};
use rustix::io::Errno;
use rustix::process;

use super::Procfs;
use crate::failure::{Context as _, Failure, Outcome};
use crate::sys;

/// Makes the working directory where the image has none, as runc does. Inside the container's root.
pub(crate) fn make_place(place: &Path) -> Outcome<()> {
    let mut so_far = std::path::PathBuf::new();
    for part in place.components() {
        so_far.push(part);
        match fs::mkdirat(CWD, &so_far, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(Errno::EXIST) => {}
            // A root that may not be written may have it nevertheless.
            Err(_) if fs::stat(place).is_ok() => return Ok(()),
            Err(error) => {
                return Err(error).context(|| format!("mkdir {}", so_far.display()));
            }
        }
    }
    Ok(())
}

/// Enters the working directory, and makes sure that it is inside the container.
pub(crate) fn settle(place: &Path) -> Outcome<()> {
    process::chdir(place).map_err(|error| refused(place, error))?;
    check()
}

fn refused(place: &Path, error: Errno) -> Failure {
    let place = place.display();
    Failure::because(format!("chdir to cwd ({place:?}) set in config.json failed"), error)
}

/// Enters the working directory. False if that is not permitted, which the user may be.
pub(super) fn enter(place: &Path) -> Outcome<bool> {
    match process::chdir(place) {
        Ok(()) => Ok(true),
        Err(Errno::ACCESS | Errno::PERM) => Ok(false),
        Err(error) => Err(refused(place, error)),
    }
}

/// A descriptor of a folder of the host, once it is the working directory, would be a way out of the
/// container. The kernel gives such a place no path from the root.
pub(super) fn check() -> Outcome<()> {
    let outside = || {
        Failure::new(
            "current working directory is outside of container mount namespace root -- possible \
             container breakout detected",
        )
    };
    match process::getcwd(Vec::new()) {
        Ok(path) if path.as_bytes().starts_with(b"/") => Ok(()),
        Ok(_) | Err(Errno::NOENT) => Err(outside()),
        Err(error) => Err(error).context(|| "unable to verify the working directory".into()),
    }
}

/// Has every descriptor but the standard streams, and `preserve` ones after them, closed when the
/// program is executed.
pub(crate) fn close_descriptors(preserve: u32) -> Outcome<()> {
    let first = preserve.saturating_add(3);
    let what = || "unable to close the descriptors that the program must not have".into();
    match sys::process::close_on_exec(first) {
        // Linux before 5.11.
        Err(Errno::NOSYS | Errno::INVAL) => {
            let open = Procfs::open()?.numbers("thread-self/fd").context(what)?;
            open.into_iter()
                .filter(|&one| u32::try_from(one).is_ok_and(|one| one >= first))
                .try_for_each(sys::process::close_one_on_exec)
                .context(what)
        }
        done => done.context(what),
    }
}
