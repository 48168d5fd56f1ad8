//! [`Clocks`]: how far the clocks of a container are from the host's (time_namespaces(7)).

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::fd::AsFd as _;

use oci_spec::runtime::Linux;
use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};

use crate::failure::{Context, Failure, Outcome};
use crate::sys::clone::new_time_namespace;

/// Offsets of a new time namespace. They can be set until a process is in it, so it cannot be made by the
/// call that makes the process, as the other namespaces are.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Clocks {
    /// A line for each clock, as the kernel takes them.
    lines: String,
}

impl Clocks {
    /// Reads `linux.timeOffsets`; `None` if no clock is named.
    ///
    /// # Errors
    /// A clock that no namespace has, or a part of a second that is a whole one.
    pub(super) fn of(linux: &Linux) -> Outcome<Option<Self>> {
        let mut lines = String::new();
        let offsets: BTreeMap<_, _> = linux.time_offsets().iter().flatten().collect();
        for (clock, offset) in offsets {
            if !matches!(clock.as_str(), "monotonic" | "boottime") {
                return Err(Failure::new(format!(
                    "linux.timeOffsets: no clock `{clock}` has an offset: only monotonic and boottime"
                )));
            }
            let (seconds, nanoseconds) =
                (offset.secs().unwrap_or(0), offset.nanosecs().unwrap_or(0));
            if nanoseconds > 999_999_999 {
                return Err(Failure::new(format!(
                    "linux.timeOffsets: {nanoseconds} nanosecs of {clock} are a second or more"
                )));
            }
            lines.push_str(&format!("{clock} {seconds} {nanoseconds}\n"));
        }
        Ok((!lines.is_empty()).then_some(Self { lines }))
    }

    /// Has what this process clones be in a new namespace with these offsets.
    pub(super) fn make(&self) -> Outcome<()> {
        new_time_namespace().context(|| {
            "making a time namespace with clocks of its own, which is for root".into()
        })?;
        fs::write("/proc/self/timens_offsets", &self.lines)
            .context(|| format!("setting clocks: {}", self.lines.trim_end().replace('\n', ", ")))
    }
}

/// The time namespace that this process was in.
#[derive(Debug)]
pub(super) struct Before(File);

impl Before {
    pub(super) fn look() -> Outcome<Self> {
        let path = "/proc/self/ns/time";
        Ok(Self(File::open(path).context(|| path.into())?))
    }

    /// Has what this process clones from now on be in its own namespace again: the hooks of the host.
    pub(super) fn restore(&self) -> Outcome<()> {
        move_into_link_name_space(self.0.as_fd(), Some(LinkNameSpaceType::Time))
            .context(|| "returning from the container's time namespace".into())
    }
}
