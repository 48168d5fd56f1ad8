//! Every mode of isolation that can be measured here.

mod container;
pub(crate) mod modules;
pub(crate) mod native;
pub(crate) mod raw;
mod system;
mod tools;
mod vm;

use crate::options::Session;
use crate::race::race;
use crate::{Mode, Stopped};

/// A mode of which nothing is known yet.
pub(crate) fn mode(id: &str, name: &str, family: &str, start: &str) -> Mode {
    let [id, name, family, start] = [id, name, family, start].map(str::to_owned);
    Mode { id, name, family, start, ..Mode::default() }
}

fn words(all: &[&str]) -> Vec<String> {
    all.iter().map(|word| (*word).to_owned()).collect()
}

/// Measures all of them, in turns.
pub(crate) fn measure(session: &Session<'_>) -> Result<Vec<Mode>, Stopped> {
    let mut entrants = vec![native::plain()];
    entrants.extend(native::entrants(session));
    entrants.extend(modules::entrants(session));
    entrants.extend(tools::entrants(session));
    entrants.extend(container::entrants(session));
    entrants.push(vm::entrant(session)?);
    entrants.extend(session.options.tool.as_ref().map(|tool| tools::given(session, tool)));
    race(session, "starts", entrants)
}
