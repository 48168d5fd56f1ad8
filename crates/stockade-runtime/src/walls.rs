//! [`Walls`]: how much holds a container beyond what its config says.

use clap::ValueEnum;
use serde::{Deserialize, Serialize};

/// How much holds a container. It is kept in its state, so that what is executed in it later is held
/// alike.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ValueEnum)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Walls {
    /// What config.json says, as other runtimes do it.
    #[default]
    Config,
    /// For code that is not trusted: besides, no capability in any set, no_new_privs, and Stockade's filter
    /// of system calls above the config's own.
    Full,
}
