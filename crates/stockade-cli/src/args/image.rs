//! `stockade image`: its options.

use clap::{Args, Subcommand};
use stockade::oci::{Name, Source};

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Copy an image into the store, each part checked against its digest
    Load {
        /// oci:DIR[:REF] or docker-archive:FILE[:REF]
        #[arg(value_name = "SOURCE")]
        source: Source,
    },
    /// Get an image from its registry, each part checked against its digest
    Pull(PullArgs),
    /// Show which images are in the store
    List {
        /// Print JSON instead of a table
        #[arg(long)]
        json: bool,
    },
    /// Remove images from the store, and what no other image needs
    Rm {
        #[arg(value_name = "NAME", required = true)]
        names: Vec<Name>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct PullArgs {
    /// [REGISTRY/]PATH[:TAG][@DIGEST]; Docker's registry and `latest` unless it says otherwise
    #[arg(value_name = "NAME")]
    pub(crate) name: Name,
    /// Speak to the registry without encryption, as is done to one on this machine
    #[arg(long)]
    pub(crate) plain_http: bool,
    /// Say who asks; without it what `docker login` noted in its own file, else nobody
    #[arg(long, value_name = "NAME", requires = "password_stdin")]
    pub(crate) username: Option<String>,
    /// Read the password, or a token for it, from the first line of standard input
    #[arg(long, requires = "username")]
    pub(crate) password_stdin: bool,
}
