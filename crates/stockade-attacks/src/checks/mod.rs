//! What each attack is about, and how to tell that it failed.
//!
//! The two lists name the attacks. An attack without a check does not compile, since the list looks
//! for a function of its name here; nor does a check without an attack, since nothing calls it.
#![deny(dead_code)]

mod files;
mod former;
mod kernel;
mod leaks;
mod limits;
mod modules;
mod outliving;
mod processes;
mod sockets;

use files::*;
use former::*;
use kernel::*;
use leaks::*;
use limits::*;
use outliving::*;
use processes::*;
use sockets::*;

use std::path::Path;
use std::time::Duration;

use stockade_core::{Control, Policy, Result, Verdict};

use crate::arena::{Arena, Bout, Ended};
use crate::attack::{Attack, Check, Code};
use crate::finding::Finding;

macro_rules! guests {
    ($($name:ident)*) => {
        pub(crate) const NATIVE: &[Attack] =
            &[$(Attack::new(stringify!($name), Code::Native, $name())),*];
    };
}

macro_rules! modules {
    ($($name:ident)*) => {
        pub(crate) const MODULES: &[Attack] = &[$(Attack::new(
            stringify!($name),
            Code::Module(include_bytes!(concat!(env!("OUT_DIR"), "/", stringify!($name), ".wasm"))),
            modules::$name(),
        )),*];
    };
}

include!("../../image/guests.rs");
include!("../../modules/list.rs");

/// What most attacks are like: always applicable, soon over, and aware of how they went.
const fn refused(story: &'static str, class: &'static str, wall: Control) -> Check {
    Check { story, class, wall, long: false, exempt: never, play: |arena| arena.bout().refused() }
}

/// An attack that must be ended by the limit it exceeds.
const fn limited(
    story: &'static str,
    class: &'static str,
    wall: Control,
    play: fn(&Arena<'_>) -> Result<Finding>,
) -> Check {
    Check { story, class, wall, long: false, exempt: never, play }
}

/// Attacks that fill `/tmp` or `/dev/shm` must not fill what the policy has there.
fn own_scratch(policy: &Policy) -> Option<&'static str> {
    let is_scratch = |target: &str| {
        ["/tmp", "/dev/shm"].iter().any(|place| Path::new(target).starts_with(place))
    };
    let own = policy.filesystem.mounts.iter().any(|mount| is_scratch(mount.target()));
    own.then_some("the policy mounts something of its own there")
}

fn never(_: &Policy) -> Option<&'static str> {
    None
}

impl Bout<'_> {
    /// Runs an attack that knows whether it got through.
    fn refused(self) -> Result<Finding> {
        Ok(self.run()?.refused())
    }

    /// Runs an attack that its wall must end, or refuse something.
    fn limited(self, wall: Control) -> Result<Finding> {
        Ok(self.run()?.limited(wall))
    }

    /// Runs an attack that its wall must end within a time.
    fn limited_within(self, wall: Control, most: Duration) -> Result<Finding> {
        let ended = self.run()?;
        if ended.elapsed > most {
            return Ok(ended.through(format!("it went on for {} ms", ended.elapsed.as_millis())));
        }
        Ok(ended.limited(wall))
    }
}

impl Ended {
    fn limited(&self, wall: Control) -> Finding {
        match self.verdict {
            Verdict::Limit { control, .. } if control == wall => {
                Finding::Held(format!("ended by the limit on {wall}"))
            }
            Verdict::Cancelled => self.through("nothing ended it".to_owned()),
            _ => self.refused(),
        }
    }

    /// Takes the attack's own word, which it gives by its exit status.
    fn refused(&self) -> Finding {
        match &self.verdict {
            Verdict::Exited { code: 0 } => self.through(self.line()),
            Verdict::Exited { code: 3 } => Finding::Held(self.line()),
            Verdict::Exited { code: 1 } => Finding::NotApplicable(self.line()),
            Verdict::Denied { control, detail } => Finding::Held(format!("{control}: {detail}")),
            verdict => Finding::NotApplicable(format!("it ended otherwise: {verdict:?}")),
        }
    }

    /// It got through; which is no breach where the policy accepts a weaker wall, and has one.
    fn through(&self, how: String) -> Finding {
        match &self.weakness {
            Some(weakness) => Finding::NotApplicable(format!("{weakness}; {how}")),
            None => Finding::Breached(how),
        }
    }
}
