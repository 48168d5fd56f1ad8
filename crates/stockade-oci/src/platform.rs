//! Which images can run here: Linux, on this architecture.

use std::env::consts::ARCH;
use std::fmt;

/// An operating system and an architecture, in the words of images.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Platform {
    pub(crate) os: String,
    pub(crate) architecture: String,
    pub(crate) variant: Option<String>,
}

/// The architecture of this process, as Go calls it.
pub(crate) fn architecture() -> &'static str {
    match ARCH {
        "x86_64" => "amd64",
        "aarch64" => "arm64",
        "x86" => "386",
        "loongarch64" => "loong64",
        "powerpc64" if cfg!(target_endian = "little") => "ppc64le",
        other => other,
    }
}

impl Platform {
    /// Whether it is this one. Of the variants only the oldest is sure to run.
    pub(crate) fn is_here(&self) -> bool {
        let base = match self.architecture.as_str() {
            "amd64" => "v1",
            "arm64" => "v8",
            _ => "",
        };
        let variant = self.variant.as_deref().unwrap_or_default();
        self.os == "linux"
            && self.architecture == architecture()
            && (variant.is_empty() || variant == base)
    }
}

impl fmt::Display for Platform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.os, self.architecture)?;
        self.variant
            .iter()
            .filter(|variant| !variant.is_empty())
            .try_for_each(|v| write!(f, "/{v}"))
    }
}
