//! `--allow`: what a bundle may ask for and get otherwise.

use clap::builder::TypedValueParser;
use stockade::oci::bundle::Options;

use super::named;

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

pub(super) fn allowed() -> impl TypedValueParser<Value = Allowed> {
    named(Allowed::ALL.map(|(allowed, name, _)| (name, allowed)))
}
