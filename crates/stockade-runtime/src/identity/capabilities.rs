//! [`Capabilities`]: the five sets.

use oci_spec::runtime::{Capabilities as Names, LinuxCapabilities};
use rustix::io::Errno;
use rustix::thread::{self, CapabilitySet, CapabilitySets};

use crate::failure::{Context as _, Failure, Outcome};

/// What the program has, what it may have, and what it hands on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Capabilities {
    bounding: CapabilitySet,
    effective: CapabilitySet,
    permitted: CapabilitySet,
    inheritable: CapabilitySet,
    ambient: CapabilitySet,
}

impl Capabilities {
    pub(super) const NONE: Self = Self {
        bounding: CapabilitySet::empty(),
        effective: CapabilitySet::empty(),
        permitted: CapabilitySet::empty(),
        inheritable: CapabilitySet::empty(),
        ambient: CapabilitySet::empty(),
    };

    /// The sets of a configuration. One that is not there is empty.
    pub(super) fn read(sets: &LinuxCapabilities) -> Outcome<Self> {
        Ok(Self {
            bounding: set(sets.bounding())?,
            effective: set(sets.effective())?,
            permitted: set(sets.permitted())?,
            inheritable: set(sets.inheritable())?,
            ambient: set(sets.ambient())?,
        })
    }

    /// Drops from the bounding set what is not listed. Gives those that this kernel knows.
    pub(super) fn bound(&self) -> Outcome<CapabilitySet> {
        for number in 0..u64::BITS {
            let bit = 1_u64 << number;
            let one = CapabilitySet::from_bits_retain(bit);
            let done = if self.bounding.contains(one) {
                thread::capability_is_in_bounding_set(one).map(drop)
            } else {
                drop_bound(one)
            };
            match done {
                Ok(()) => {}
                Err(Errno::INVAL) => return Ok(CapabilitySet::from_bits_retain(bit - 1)),
                Err(error) => {
                    return Err(error)
                        .context(|| format!("unable to apply bounding set: {}", names(one)));
                }
            }
        }
        Ok(CapabilitySet::from_bits_retain(u64::MAX))
    }

    /// Sets the other four, after the user was changed. What the kernel does not know is left out, as
    /// runc leaves it out; what this process has not and so cannot give is an error.
    pub(super) fn apply(&self, known: CapabilitySet) -> Outcome<()> {
        let sets = CapabilitySets {
            effective: self.effective & known,
            permitted: self.permitted & known,
            inheritable: self.inheritable & known,
        };
        thread::set_capabilities(None, sets).map_err(|error| {
            let held = thread::capabilities(None).map_or(CapabilitySet::empty(), |s| s.permitted);
            let missing = (sets.effective | sets.permitted | sets.inheritable) - held;
            Failure::because(format!("unable to apply caps ({} not held)", names(missing)), error)
        })?;
        match thread::clear_ambient_capability_set() {
            Ok(()) => {}
            // Linux before 4.3.
            Err(Errno::INVAL) if self.ambient.is_empty() => return Ok(()),
            Err(error) => return Err(error).context(|| "unable to clear ambient caps".into()),
        }
        // The kernel has none that is not permitted and inheritable; older engines and `runc spec` ask for
        // some nevertheless, and are given what runc gives them.
        for one in singles(self.ambient & sets.permitted & sets.inheritable) {
            thread::configure_capability_in_ambient_set(one, true)
                .context(|| format!("unable to raise {} as an ambient capability", names(one)))?;
        }
        Ok(())
    }
}

/// Drops one, which needs a right only where it is there.
fn drop_bound(one: CapabilitySet) -> Result<(), Errno> {
    match thread::remove_capability_from_bounding_set(one) {
        Err(Errno::PERM) => match thread::capability_is_in_bounding_set(one)? {
            true => Err(Errno::PERM),
            false => Ok(()),
        },
        done => done,
    }
}

/// Both write their names alike.
fn set(names: &Option<Names>) -> Outcome<CapabilitySet> {
    let mut set = CapabilitySet::empty();
    for name in names.iter().flatten() {
        let name = name.to_string();
        set |= CapabilitySet::from_name(&name)
            .ok_or_else(|| Failure::new(format!("unknown capability CAP_{name}")))?;
    }
    Ok(set)
}

fn singles(set: CapabilitySet) -> impl Iterator<Item = CapabilitySet> {
    (0..u64::BITS)
        .map(|number| CapabilitySet::from_bits_retain(1 << number))
        .filter(move |&one| set.contains(one))
}

fn names(set: CapabilitySet) -> String {
    let names = singles(set).map(|one| match one.iter_names().next() {
        Some((name, _)) => format!("CAP_{name}"),
        None => format!("capability {}", one.bits().trailing_zeros()),
    });
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_capability_of_the_configuration_has_its_number() {
        let all = r#"["AUDIT_CONTROL","AUDIT_READ","AUDIT_WRITE","BLOCK_SUSPEND","BPF",
            "CHECKPOINT_RESTORE","CHOWN","DAC_OVERRIDE","DAC_READ_SEARCH","FOWNER","FSETID","IPC_LOCK",
            "IPC_OWNER","KILL","LEASE","LINUX_IMMUTABLE","MAC_ADMIN","MAC_OVERRIDE","MKNOD","NET_ADMIN",
            "NET_BIND_SERVICE","NET_BROADCAST","NET_RAW","PERFMON","SETGID","SETFCAP","SETPCAP",
            "SETUID","SYS_ADMIN","SYS_BOOT","SYS_CHROOT","SYS_MODULE","SYS_NICE","SYS_PACCT",
            "SYS_PTRACE","SYS_RAWIO","SYS_RESOURCE","SYS_TIME","SYS_TTY_CONFIG","SYSLOG",
            "WAKE_ALARM"]"#;
        let all: Names = serde_json::from_str(all).expect("a list of names");
        let set = set(&Some(all)).expect("each has a number");
        assert_eq!(set.bits(), (1 << 41) - 1, "all up to CAP_CHECKPOINT_RESTORE");
    }

    #[test]
    fn names_are_said_as_the_manual_does() {
        let set = CapabilitySet::KILL | CapabilitySet::from_bits_retain(1 << 50);
        assert_eq!(names(set), "CAP_KILL, capability 50");
    }
}
