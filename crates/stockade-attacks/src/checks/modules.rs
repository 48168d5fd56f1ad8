//! Attacks by modules.
//!
//! None of their walls can be taken down but by a policy that allows more. Where no policy has a
//! word on it, the module is given an argument, and does the same in a way that is allowed: that
//! shows that a refusal is one of what the attack is about.

mod bounds;
mod kept;
mod loading;
mod reach;
mod time;

pub(super) use bounds::*;
pub(super) use kept::*;
pub(super) use loading::*;
pub(super) use reach::*;
pub(super) use time::*;

use super::{Bout, Check, Control, Ended, Finding, Result, Verdict, never};
use crate::arena::Arena;

type Play = fn(&Arena<'_>) -> Result<Finding>;

/// What a module adds to an errno of WASI preview 1 that refused it, for its exit status.
const REFUSED: i32 = 100;

/// What they are like: always applicable, and soon over.
const fn attack(story: &'static str, class: &'static str, wall: Control, play: Play) -> Check {
    Check { story, class, wall, long: false, exempt: never, play }
}

/// What a module says by its exit status: it did what `through` says, or it was refused.
fn told(ended: &Ended, through: &str) -> Finding {
    match &ended.verdict {
        Verdict::Exited { code: 0 } => ended.through(through.to_owned()),
        Verdict::Exited { code: 3 } => Finding::Held("it was refused".to_owned()),
        Verdict::Exited { code } if *code > REFUSED => {
            Finding::Held(format!("refused with the error {}", errno(code - REFUSED)))
        }
        _ => ended.refused(),
    }
}

/// What a module says that its wall must end, or refuse something. A limit on fuel ends anything.
fn bounded(ended: &Ended, wall: Control, through: &str) -> Finding {
    match &ended.verdict {
        Verdict::Limit { control, .. } if *control == wall || *control == Control::Fuel => {
            Finding::Held(format!("ended by the limit on {control}"))
        }
        _ => told(ended, through),
    }
}

/// Runs a module that knows whether it got through.
fn tells(bout: Bout<'_>, through: &str) -> Result<Finding> {
    Ok(told(&bout.run()?, through))
}

/// Runs a module that its wall must end, or refuse something.
fn bounds(bout: Bout<'_>, wall: Control, through: &str) -> Result<Finding> {
    Ok(bounded(&bout.run()?, wall, through))
}

/// Runs a module that must be refused before it runs, for something that the error names.
fn refuses(bout: Bout<'_>, named: &str, through: &str) -> Result<Finding> {
    Ok(match bout.run_unless_refused()? {
        Ok(ended) => told(&ended, through),
        Err(why) if why.contains(named) => Finding::Held(why),
        Err(why) => Finding::NotApplicable(format!("it could not be staged: {why}")),
    })
}

/// What the document of preview 1 calls an errno.
fn errno(number: i32) -> String {
    let name = match number {
        2 => "acces",
        8 => "badf",
        10 => "busy",
        20 => "exist",
        21 => "fault",
        28 => "inval",
        32 => "loop",
        33 => "mfile",
        44 => "noent",
        51 => "nospc",
        54 => "notdir",
        58 => "notsup",
        63 => "perm",
        69 => "rofs",
        70 => "spipe",
        75 => "xdev",
        _ => return number.to_string(),
    };
    name.to_owned()
}
