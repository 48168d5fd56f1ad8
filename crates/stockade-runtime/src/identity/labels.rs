//! What the security modules and the keyring know the program as.

use std::ffi::CString;

use oci_spec::runtime::Process;
use rustix::io::Errno;

use super::Procfs;
use crate::failure::{Context as _, Failure, Outcome};
use crate::sys::keys;

/// Tells AppArmor and SELinux what the program is run as once it is executed. An error where the module
/// is not there: the configuration counts on it.
pub(crate) fn labels(process: &Process) -> Outcome<()> {
    let said = |label: &Option<String>| label.clone().filter(|label| !label.is_empty());
    let profile = said(process.apparmor_profile());
    let label = said(process.selinux_label());
    if profile.is_none() && label.is_none() {
        return Ok(());
    }
    let procfs = Procfs::open()?;
    if let Some(profile) = profile {
        let text = format!("exec {profile}");
        // The file of its own, of Linux 5.8; before, the one that the first module has.
        let own = procfs.write("thread-self/attr/apparmor/exec", text.as_bytes());
        let done = match own {
            Err(Errno::NOENT) => procfs.write("thread-self/attr/exec", text.as_bytes()),
            own => own,
        };
        said_or_absent(done, "apparmor", &profile)?;
    }
    if let Some(label) = label {
        let done = procfs.write("thread-self/attr/exec", label.as_bytes());
        said_or_absent(done, "selinux", &label)?;
    }
    Ok(())
}

fn said_or_absent(done: Result<(), Errno>, module: &str, label: &str) -> Outcome<()> {
    match done {
        Ok(()) => Ok(()),
        Err(Errno::NOENT | Errno::INVAL | Errno::OPNOTSUPP) if !is_there(module) => {
            let what = format!("{module}: config provided but {module} not supported: {label}");
            Err(Failure::new(what))
        }
        Err(error) => Err(error).context(|| format!("unable to apply {module} label {label}")),
    }
}

/// Whether the kernel has the module, as far as can be seen from here.
fn is_there(module: &str) -> bool {
    let folder = match module {
        "apparmor" => "/sys/module/apparmor",
        _ => "/sys/fs/selinux/enforce",
    };
    std::fs::metadata(folder).is_ok()
}

/// Gives the container a session keyring of its own, which the host's keys are not in. Without one
/// in the kernel, there is nothing to keep from it.
pub(crate) fn keyring(id: &str) -> Outcome<()> {
    let name = CString::new(format!("_ses.{id}")).context(|| "the id has a zero in it".into())?;
    let serial = match keys::join_session(&name) {
        Err(Errno::NOSYS) => return Ok(()),
        joined => joined.context(|| "unable to join session keyring".into())?,
    };
    // Who has the keyring may search it: exec of the same container finds what was put there.
    const USER_SEARCH: u32 = 0x0008_0000;
    let permissions = keys::permissions(serial);
    permissions
        .and_then(|permissions| keys::set_permissions(serial, permissions | USER_SEARCH))
        .context(|| "unable to mod keyring permissions".into())
}
