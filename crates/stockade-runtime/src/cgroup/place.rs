//! [`Place`]: what `linux.cgroupsPath` asks for.

use std::path::Path;

use super::dir::Version;
use super::hierarchy::Hierarchy;
use crate::failure::{Failure, Outcome};

/// Where a container's groups go in each hierarchy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Place {
    /// Below the mount point.
    Absolute(String),
    /// Below the caller's own group.
    Relative(String),
}

/// The longest name of a file, and the longest path that is taken.
const NAME_MAX: usize = 255;
const PATH_MAX: usize = 2048;

impl Place {
    /// Reads the path of a config, or takes the container's id where there is none.
    pub(super) fn new(path: Option<&Path>, id: &str) -> Outcome<Self> {
        let Some(path) = path.filter(|path| !path.as_os_str().is_empty()) else {
            return Ok(Self::Relative(clean(id)?));
        };
        let text = path.to_str().ok_or_else(|| refused(&path.display(), "is no text"))?;
        let inner = clean(text)?;
        Ok(if path.is_absolute() { Self::Absolute(inner) } else { Self::Relative(inner) })
    }

    /// The path below a hierarchy's mount point.
    ///
    /// On version 2 alone a relative path goes beside the caller's group: that one has a process in
    /// it, the caller, and so cannot hand on controllers.
    pub(super) fn below(&self, hierarchy: &Hierarchy, alone: bool) -> String {
        match self {
            Self::Absolute(inner) => inner.clone(),
            Self::Relative(inner) => {
                let own = hierarchy.own.as_str();
                let above = if alone && hierarchy.version == Version::V2 {
                    own.rsplit_once('/').map_or("", |(above, _)| above)
                } else {
                    own
                };
                if above.is_empty() { inner.clone() } else { format!("{above}/{inner}") }
            }
        }
    }
}

/// A path without empty parts. It must name a group that is not the root, and climb nowhere.
///
/// # Errors
/// What is wrong with it. The kernel has no names with a newline, and engines parse what it prints.
pub(super) fn clean(path: &str) -> Outcome<String> {
    if path.contains(['\0', '\n']) {
        return Err(refused(&path.escape_debug(), "holds NUL or a newline"));
    }
    if path.len() > PATH_MAX {
        return Err(refused(&format!("{}…", start(path)), "is too long"));
    }
    let parts: Vec<&str> = path.split('/').filter(|part| !matches!(*part, "" | ".")).collect();
    if parts.contains(&"..") {
        return Err(refused(&path, "holds `..`"));
    }
    if let Some(part) = parts.iter().find(|part| part.len() > NAME_MAX) {
        return Err(refused(&format!("{}…", start(part)), "has a name that is too long"));
    }
    if parts.is_empty() {
        return Err(refused(&path, "names the root, which is no container's"));
    }
    Ok(parts.join("/"))
}

/// So much of a text as a message can hold.
fn start(text: &str) -> String {
    text.chars().take(40).collect()
}

fn refused(path: &dyn std::fmt::Display, why: &str) -> Failure {
    Failure::new(format!("cgroupsPath `{path}` {why}"))
}
