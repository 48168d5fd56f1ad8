//! Which devices a container may use: the rules of a config, of which the last that matches decides,
//! as lines for version 1 and as a program for version 2.

use std::fmt;

use oci_spec::runtime::{LinuxDeviceCgroup, LinuxDeviceType};

use crate::failure::{Failure, Outcome};

mod program;

pub(super) use program::program;

/// What may be done with a device, as `struct bpf_cgroup_dev_ctx` counts it.
const MAKE: u8 = 1;
const READ: u8 = 2;
const WRITE: u8 = 4;
const EVERYTHING: u8 = MAKE | READ | WRITE;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Block,
    Character,
}

/// One rule. `None` stands for all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Rule {
    allow: bool,
    kind: Option<Kind>,
    major: Option<u32>,
    minor: Option<u32>,
    access: u8,
}

/// The rules as version 1 has them: a default, and exceptions from it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct List {
    /// Whether all is allowed but the exceptions.
    allow: bool,
    exceptions: Vec<Rule>,
}

/// What every container may use, with runc: making any node, which gives no access; the devices that
/// the specification puts into `/dev`; pseudo-terminals; and `/dev/net/tun`.
const DEFAULT: [Rule; 11] = [
    allowed(Kind::Character, None, None, MAKE),
    allowed(Kind::Block, None, None, MAKE),
    allowed(Kind::Character, Some(1), Some(3), EVERYTHING), // null
    allowed(Kind::Character, Some(1), Some(8), EVERYTHING), // random
    allowed(Kind::Character, Some(1), Some(7), EVERYTHING), // full
    allowed(Kind::Character, Some(5), Some(0), EVERYTHING), // tty
    allowed(Kind::Character, Some(1), Some(5), EVERYTHING), // zero
    allowed(Kind::Character, Some(1), Some(9), EVERYTHING), // urandom
    allowed(Kind::Character, Some(136), None, EVERYTHING),  // pts/*
    allowed(Kind::Character, Some(5), Some(2), EVERYTHING), // ptmx
    allowed(Kind::Character, Some(10), Some(200), EVERYTHING), // net/tun
];

const fn allowed(kind: Kind, major: Option<u32>, minor: Option<u32>, access: u8) -> Rule {
    Rule { allow: true, kind: Some(kind), major, minor, access }
}

/// The rules of a config, and after them what every container may use. Before the first rule nothing
/// is allowed.
///
/// # Errors
/// A rule that means nothing, by its place.
pub(super) fn rules(config: Option<&Vec<LinuxDeviceCgroup>>) -> Outcome<Vec<Rule>> {
    let given = config.into_iter().flatten().enumerate();
    let mut rules: Vec<Rule> =
        given.map(|(at, rule)| Rule::new(at, rule)).collect::<Outcome<_>>()?;
    rules.extend(DEFAULT);
    Ok(rules)
}

impl Rule {
    fn new(at: usize, rule: &LinuxDeviceCgroup) -> Outcome<Self> {
        let wrong = |what: String| Failure::new(format!("linux.resources.devices[{at}]: {what}"));
        let kind = match rule.typ().unwrap_or_default() {
            LinuxDeviceType::A => None,
            LinuxDeviceType::B => Some(Kind::Block),
            LinuxDeviceType::C | LinuxDeviceType::U => Some(Kind::Character),
            LinuxDeviceType::P => return Err(wrong("type `p` is no device".into())),
        };
        // Engines say -1 for all. The kernel keeps 32 bits; a program compares them as signed.
        let number = |name: &str, number: Option<i64>| match number {
            None | Some(-1) => Ok(None),
            Some(number) => match i32::try_from(number) {
                Ok(number @ 0..) => Ok(Some(number.unsigned_abs())),
                _ => Err(wrong(format!("{name} {number} is no number of a device"))),
            },
        };
        let letters = rule.access().as_deref().unwrap_or_default();
        let mut access = 0;
        for letter in letters.chars() {
            access |= match letter {
                'r' => READ,
                'w' => WRITE,
                'm' => MAKE,
                _ => return Err(wrong(format!("access `{letters}` is not of `rwm`"))),
            };
        }
        if access == 0 {
            return Err(wrong("device access field cannot be empty".into()));
        }
        let (major, minor) = (number("major", rule.major())?, number("minor", rule.minor())?);
        Ok(Self { allow: rule.allow(), kind, major, minor, access })
    }

    /// Whether it is for all devices and everything: nothing of the rules before it is left then.
    fn is_total(&self) -> bool {
        self.kind.is_none()
            && self.major.is_none()
            && self.minor.is_none()
            && self.access == EVERYTHING
    }

    fn letters(&self) -> String {
        let letters = [(READ, 'r'), (WRITE, 'w'), (MAKE, 'm')].into_iter();
        letters.filter(|(bit, _)| self.access & bit != 0).map(|(_, letter)| letter).collect()
    }

    fn same_devices(&self, other: &Self) -> bool {
        (self.kind, self.major, self.minor) == (other.kind, other.major, other.minor)
    }

    fn covers(&self, other: &Self) -> bool {
        let covers = |a: Option<u32>, b: Option<u32>| a.is_none() || a == b;
        self.kind == other.kind
            && covers(self.major, other.major)
            && covers(self.minor, other.minor)
    }

    fn meets(&self, other: &Self) -> bool {
        let meets = |a: Option<u32>, b: Option<u32>| a.is_none() || b.is_none() || a == b;
        self.kind == other.kind
            && meets(self.major, other.major)
            && meets(self.minor, other.minor)
            && self.access & other.access != 0
    }
}

/// As version 1 reads it.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self.kind {
            None => "a ",
            Some(Kind::Block) => "b ",
            Some(Kind::Character) => "c ",
        })?;
        let number = |number: Option<u32>| number.map_or("*".to_owned(), |n| n.to_string());
        write!(f, "{}:{} {}", number(self.major), number(self.minor), self.letters())
    }
}

impl List {
    /// What a sequence of rules comes to.
    ///
    /// # Errors
    /// A rule that takes away a part of what another gave, or gives a part of what it took. Version 1
    /// would ignore it, and a device would be open that should not.
    pub(super) fn new(rules: &[Rule]) -> Outcome<Self> {
        let mut list = Self { allow: false, exceptions: Vec::new() };
        for rule in rules {
            if rule.is_total() {
                list = Self { allow: rule.allow, exceptions: Vec::new() };
                continue;
            }
            // Each kind has exceptions of its own.
            let kinds = rule.kind.map_or(vec![Kind::Character, Kind::Block], |kind| vec![kind]);
            for kind in kinds {
                list.apply(Rule { kind: Some(kind), ..*rule })?;
            }
        }
        Ok(list)
    }

    fn apply(&mut self, rule: Rule) -> Outcome<()> {
        if rule.allow != self.allow {
            match self.exceptions.iter_mut().find(|one| one.same_devices(&rule)) {
                Some(one) => one.access |= rule.access,
                None => self.exceptions.push(rule),
            }
            return Ok(());
        }
        for one in self.exceptions.iter_mut().filter(|one| rule.covers(one)) {
            one.access &= !rule.access;
        }
        self.exceptions.retain(|one| one.access != 0);
        match self.exceptions.iter().find(|one| one.meets(&rule)) {
            None => Ok(()),
            Some(one) => Err(Failure::new(format!(
                "device rule `{rule}` makes a hole in the rule `{one}` before it, which control groups \
                 of version 1 cannot have"
            ))),
        }
    }

    /// What is allowed, in systemd's words: a name for devices, and letters. `None` if all is; nothing if
    /// all but some, for which it has no words.
    pub(super) fn units(&self) -> Option<Vec<(String, String)>> {
        if self.allow {
            return (!self.exceptions.is_empty()).then(Vec::new);
        }
        let unit = |rule: &Rule| {
            let kind = if rule.kind == Some(Kind::Block) { "block" } else { "char" };
            let device = match (rule.major, rule.minor) {
                (None, None) => format!("{kind}-*"),
                (None, Some(_)) => return None,
                (Some(major), None) => format!("{kind}-{major}"),
                (Some(major), Some(minor)) => format!("/dev/{kind}/{major}:{minor}"),
            };
            Some((device, rule.letters()))
        };
        Some(self.exceptions.iter().filter_map(unit).collect())
    }

    /// The files to write to, and what, in order.
    pub(super) fn lines(&self) -> impl Iterator<Item = (&'static str, String)> + '_ {
        let file = |allow: bool| if allow { "devices.allow" } else { "devices.deny" };
        let exceptions = self.exceptions.iter();
        let lines = exceptions.map(move |rule| (file(!self.allow), rule.to_string()));
        std::iter::once((file(self.allow), "a".to_owned())).chain(lines)
    }
}

/// Whether the rules allow everything that any of them speaks of, so that nothing is lost where they
/// cannot be set.
pub(super) fn allow_all(rules: &[Rule]) -> bool {
    List::new(rules).is_ok_and(|list| list.allow && list.exceptions.is_empty())
}
