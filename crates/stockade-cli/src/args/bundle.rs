//! `--bundle`, and what one may ask for and get otherwise.

use std::path::PathBuf;

use clap::Args;
use clap::builder::TypedValueParser;
use stockade::oci::bundle::Options;

use super::named;

#[derive(Debug, Args)]
pub(crate) struct BundleArgs {
    /// Run the bundle in this directory: its config.json says what runs and under which limits, and what it
    /// asks for that is not done is refused by name before anything starts. Options count more than the
    /// config; PROGRAM and ARGS are in the place of its `process.args`
    #[arg(id = "bundle", long, value_name = "DIR",
        conflicts_with_all = ["base", "rootfs", "image", "policy", "writable"])]
    pub(crate) dir: Option<PathBuf>,

    /// Accept of a bundle what is done otherwise than it asks: writable_root_is_ephemeral (what is written
    /// to its root is in memory and gone when it ends), terminal_is_streams (it has these three streams and
    /// no terminal), seccomp_is_own_profile (the filter is that of --syscalls)
    #[arg(long, value_name = "WHAT,…", value_delimiter = ',', requires = "bundle",
        hide_possible_values = true, value_parser = allowed())]
    pub(crate) allow: Vec<Allowed>,
}

/// One of the things that the library's [`Options`] allow, by its name there, which refusals say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Allowed {
    WritableRoot,
    Terminal,
    Seccomp,
}

impl Allowed {
    /// Each with its name, and with the place in a config that is refused without it.
    pub(crate) const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::WritableRoot, "writable_root_is_ephemeral", "root.readonly"),
        (Self::Terminal, "terminal_is_streams", "process.terminal"),
        (Self::Seccomp, "seccomp_is_own_profile", "linux.seccomp"),
    ];

    pub(crate) fn set(self, options: &mut Options) {
        match self {
            Self::WritableRoot => options.writable_root_is_ephemeral = true,
            Self::Terminal => options.terminal_is_streams = true,
            Self::Seccomp => options.seccomp_is_own_profile = true,
        }
    }
}

fn allowed() -> impl TypedValueParser<Value = Allowed> {
    named(Allowed::ALL.map(|(allowed, name, _)| (name, allowed)))
}
