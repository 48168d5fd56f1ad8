//! [`Walls`]: how much holds a container beyond what its config says.

use clap::ValueEnum;
use oci_spec::runtime::{Mount, Spec};
use serde::{Deserialize, Serialize};
use stockade_core::MASKED_PATHS;

/// How much holds a container. It is kept in its state, so that what is executed in it later is held
/// alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Walls {
    /// What config.json says, as other runtimes do it.
    #[default]
    Config,
    /// For code that is not trusted: besides, no capability in any set, no_new_privs, Stockade's filter of
    /// system calls above the config's own, Stockade's masked paths, and no device and no set-user-id
    /// program in what is bound.
    Full,
}

impl Walls {
    /// Adds to a config what these walls close in its files.
    pub(crate) fn raise(self, spec: &mut Spec) {
        if self == Self::Config {
            return;
        }
        if let Some(linux) = spec.linux_mut() {
            let masked = linux.masked_paths_mut().get_or_insert_default();
            for path in MASKED_PATHS {
                if !masked.iter().any(|other| other == path) {
                    masked.push(path.to_owned());
                }
            }
        }
        for mount in spec.mounts_mut().iter_mut().flatten().filter(|mount| binds(mount)) {
            let options = mount.options_mut().get_or_insert_default();
            options.extend(["nodev", "nosuid"].map(str::to_owned));
        }
    }
}

/// Whether something of the host's is bound, but for devices, which have their own place.
fn binds(mount: &Mount) -> bool {
    let named = mount.typ().as_deref() == Some("bind");
    let asked =
        |options: &Vec<String>| options.iter().any(|word| word == "bind" || word == "rbind");
    let bound = named || mount.options().as_ref().is_some_and(asked);
    bound && !mount.destination().starts_with("/dev")
}

#[cfg(test)]
mod tests;
