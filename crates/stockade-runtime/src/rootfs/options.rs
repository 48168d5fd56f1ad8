//! The options of a mount, as fstab and `runc` write them.

use crate::failure::{Failure, Outcome};

/// `MOUNT_ATTR_*` of the kernel.
pub(super) const RDONLY: u64 = 0x01;
pub(super) const NOSUID: u64 = 0x02;
pub(super) const NODEV: u64 = 0x04;
pub(super) const NOEXEC: u64 = 0x08;
pub(super) const NOATIME: u64 = 0x10;
pub(super) const STRICTATIME: u64 = 0x20;
/// Not a bit but a field of three values; 0 in it is `relatime`.
pub(super) const ATIME: u64 = 0x70;
pub(super) const NODIRATIME: u64 = 0x80;
pub(super) const NOSYMFOLLOW: u64 = 0x20_0000;

/// `MS_*` of the kernel.
pub(super) const UNBINDABLE: u64 = 1 << 17;
pub(super) const PRIVATE: u64 = 1 << 18;
pub(super) const SLAVE: u64 = 1 << 19;
pub(super) const SHARED: u64 = 1 << 20;

/// How far something reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// One mount.
    One,
    /// A mount and all below it.
    Tree,
}

/// What a mount's attributes become.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) set: u64,
    pub(super) clear: u64,
}

impl Change {
    /// What sets these and leaves the others as they are.
    pub(super) const fn set(set: u64) -> Self {
        Self { set, clear: 0 }
    }

    /// The later option wins, as in fstab.
    fn add(&mut self, on: bool, attribute: u64) {
        let whole = if attribute & ATIME != 0 || attribute == 0 { ATIME } else { attribute };
        self.set &= !whole;
        // The kernel sets no value of a field that it was not told to clear.
        self.clear = if on && whole != ATIME { self.clear & !whole } else { self.clear | whole };
        if on {
            self.set |= attribute;
        }
    }

    pub(super) fn is_empty(self) -> bool {
        self == Self::default()
    }
}

/// Whether mounts made elsewhere appear here, and the other way round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Propagation {
    /// One of the `MS_*` above.
    pub(super) kind: u64,
    pub(super) reach: Reach,
}

impl Propagation {
    /// By its name in the configuration.
    pub(super) fn named(name: &str) -> Option<Self> {
        let (reach, name) = match name.strip_prefix('r') {
            Some(rest) => (Reach::Tree, rest),
            None => (Reach::One, name),
        };
        let kind = match name {
            "private" => PRIVATE,
            "slave" => SLAVE,
            "shared" => SHARED,
            "unbindable" => UNBINDABLE,
            _ => return None,
        };
        Some(Self { kind, reach })
    }
}

/// The options of one mount.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Options<'a> {
    /// It shows what is elsewhere already, and how much of that.
    pub(super) bind: Option<Reach>,
    /// It changes the mount that is there.
    pub(super) remount: bool,
    /// The attributes of the mount itself.
    pub(super) this: Change,
    /// The attributes of the mount and of all below it.
    pub(super) tree: Change,
    /// In the order they were asked for.
    pub(super) propagation: Vec<Propagation>,
    /// Flags that every filesystem knows.
    pub(super) superblock: Vec<&'a str>,
    /// What only the filesystem itself knows.
    pub(super) data: Vec<(&'a str, Option<&'a str>)>,
    /// A tmpfs begins as a copy of what it covers.
    pub(super) copy_up: bool,
    /// Owners of files are shown by a map, and how far.
    pub(super) map_owners: Option<Reach>,
}

impl<'a> Options<'a> {
    /// Sorts the options of a mount of type `kind`. What is not known here is for the filesystem to
    /// know; a bind has none.
    pub(super) fn parse(kind: &str, options: &'a [String]) -> Outcome<Self> {
        let mut parsed = Self::default();
        for option in options {
            parsed.add(option);
        }
        // Some write the type and leave the option out.
        if kind == "bind" && parsed.bind.is_none() {
            parsed.bind = Some(Reach::One);
        }
        if parsed.bind.is_some() || parsed.remount {
            if let Some((name, _)) = parsed.data.first() {
                return Err(Failure::new(format!(
                    "bind mounts cannot have any filesystem-specific options applied: {name:?}"
                )));
            }
            parsed.superblock.clear();
        }
        if parsed.copy_up && (kind != "tmpfs" || parsed.bind.is_some()) {
            return Err(Failure::new("tmpcopyup is only for a tmpfs"));
        }
        Ok(parsed)
    }

    fn add(&mut self, option: &'a str) {
        match option {
            "bind" => self.bind = self.bind.or(Some(Reach::One)),
            "rbind" => self.bind = Some(Reach::Tree),
            "remount" => self.remount = true,
            "tmpcopyup" => self.copy_up = true,
            "idmap" => self.map_owners = self.map_owners.or(Some(Reach::One)),
            "ridmap" => self.map_owners = Some(Reach::Tree),
            // What a mount is by itself, and how much the kernel's log says of it.
            "" | "defaults" | "silent" | "loud" => {}
            "sync" | "async" | "dirsync" | "lazytime" | "nolazytime" | "mand" | "nomand" => {
                self.superblock.push(option);
            }
            _ => self.add_rest(option),
        }
    }

    fn add_rest(&mut self, option: &'a str) {
        if let Some((on, flag)) = attribute(option) {
            self.this.add(on, flag);
        } else if let Some(propagation) = Propagation::named(option) {
            self.propagation.push(propagation);
        } else if let Some((on, flag)) = option.strip_prefix('r').and_then(attribute) {
            self.tree.add(on, flag);
        } else if option.contains(['"', '\\']) {
            // Its commas may be quoted: it is one option.
            self.data.push(pair(option));
        } else {
            self.data.extend(option.split(',').filter(|part| !part.is_empty()).map(pair));
        }
    }

    /// Whether the filesystem was given a value for `name`.
    pub(super) fn has_data(&self, name: &str) -> bool {
        self.data.iter().any(|(key, _)| *key == name)
    }
}

fn pair(option: &str) -> (&str, Option<&str>) {
    option.split_once('=').map_or((option, None), |(name, value)| (name, Some(value)))
}

/// An attribute by its option, and whether that sets or clears it. Every way to say that none of
/// the kinds of access time is wanted means what the kernel does when nothing is said: `relatime`.
fn attribute(name: &str) -> Option<(bool, u64)> {
    Some(match name {
        "ro" => (true, RDONLY),
        "rw" => (false, RDONLY),
        "nosuid" => (true, NOSUID),
        "suid" => (false, NOSUID),
        "nodev" => (true, NODEV),
        "dev" => (false, NODEV),
        "noexec" => (true, NOEXEC),
        "exec" => (false, NOEXEC),
        "nodiratime" => (true, NODIRATIME),
        "diratime" => (false, NODIRATIME),
        "noatime" => (true, NOATIME),
        "strictatime" => (true, STRICTATIME),
        "relatime" => (true, 0),
        "atime" | "norelatime" | "nostrictatime" => (false, ATIME),
        "nosymfollow" => (true, NOSYMFOLLOW),
        "symfollow" => (false, NOSYMFOLLOW),
        _ => return None,
    })
}
