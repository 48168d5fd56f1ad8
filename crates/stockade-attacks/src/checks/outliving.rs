//! Processes that stay when the run is over.

use std::fs;
use std::thread;
use std::time::Duration;

use stockade_core::{Access, Result, Verdict};

use super::{Check, Control, Finding, refused};
use crate::arena::Arena;
use crate::sentinel::{Folder, Marker};

/// A run whose main process ends at once is over long before this.
const MOST: Duration = Duration::from_secs(2);

pub(super) const fn stopped_child() -> Check {
    let story = "leaves a process behind that is deaf to signals, and has stopped";
    Check { play: leftover, ..refused(story, "outliving the run", Control::ProcessTree) }
}

pub(super) const fn frozen_child() -> Check {
    let story = "leaves a process behind that waits in the kernel for its child";
    Check { play: leftover, ..refused(story, "outliving the run", Control::ProcessTree) }
}

pub(super) const fn pipe_holder() -> Check {
    let story = "leaves a process behind that holds the streams open";
    Check { play: leftover, ..refused(story, "outliving the run", Control::ProcessTree) }
}

/// Nothing that was given the marker may be alive when the run is over, and that must be soon.
fn leftover(arena: &Arena<'_>) -> Result<Finding> {
    let marker = Marker::new();
    let ended = arena.bout().arg(marker.word()).run()?;
    let left = marker.bearers()?.len();
    Ok(match ended.verdict {
        Verdict::Exited { code: 0 } if left > 0 => ended.through(format!("{left} processes stay")),
        Verdict::Exited { code: 0 } if ended.elapsed > MOST => {
            ended.through(format!("its end took {} ms", ended.elapsed.as_millis()))
        }
        Verdict::Exited { code: 0 } => {
            Finding::Held("nothing of it is alive when the run is over".to_owned())
        }
        _ => ended.refused(),
    })
}

pub(super) const fn hopping_child() -> Check {
    let story = "leaves a process behind that is another one every moment";
    let play = |arena: &Arena<'_>| {
        let own = Folder::new()?;
        let ended = arena.bout().bind(&own, "/own", Access::Rw, "/hops").run()?;
        let hops = || fs::metadata(own.path().join("hops")).map_or(0, |hops| hops.len());
        let before = hops();
        thread::sleep(Duration::from_millis(60));
        let after = hops();
        Ok(match ended.verdict {
            Verdict::Exited { code: 0 } if after > before => {
                ended.through(format!("{} hops after the run", after - before))
            }
            Verdict::Exited { code: 0 } if after > 0 => {
                Finding::Held(format!("it ends after {after} hops, with the run"))
            }
            Verdict::Exited { code: 0 } => Finding::NotApplicable("it did not hop".to_owned()),
            _ => ended.refused(),
        })
    };
    Check { play, ..refused(story, "outliving the run", Control::ProcessTree) }
}
