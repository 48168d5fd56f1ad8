//! `stockade image`: its options.

use clap::Subcommand;
use stockade::oci::{Name, Source};

#[derive(Debug, Subcommand)]
pub(crate) enum ImageCommand {
    /// Copy an image into the store, each part checked against its digest
    Load {
        /// oci:DIR[:REF] or docker-archive:FILE[:REF]
        #[arg(value_name = "SOURCE")]
        source: Source,
    },
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
