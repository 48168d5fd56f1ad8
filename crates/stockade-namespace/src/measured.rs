//! [`Parts`]: what `prepare` and `wait` compute without a warden, so that it can be measured.

use stockade_core::{Ability, Plan, Policy, Program, Report, Result, Support};
use stockade_warden::wire::board::{WORDS, Word};

use crate::account::Account;
use crate::host::{BACKEND, Host};
use crate::left_out::LeftOut;
use crate::outcome::{self, Birth, Printed};
use crate::prepare::{self, Blueprint};
use crate::sandbox::NamespaceSandbox;

/// Landlock as of Linux 6.12, whatever is here.
const LANDLOCK_ABI: u64 = 6;

/// A policy and a program on a host that is taken to enforce everything, and to have no cgroups: so
/// the same work is done on every machine.
#[doc(hidden)]
#[derive(Debug)]
pub struct Parts {
    host: Host,
    support: Support,
    policy: Policy,
    program: Program,
    plan: Plan,
    account: Account,
}

impl NamespaceSandbox {
    /// What can be measured without a sandbox, and for nothing else.
    ///
    /// # Errors
    /// `InvalidPolicy` when the policy makes no sense.
    #[doc(hidden)]
    pub fn parts(policy: Policy, program: Program) -> Result<Parts> {
        policy.validate()?;
        let host = Host::look_past(LeftOut { cgroups: true, ..LeftOut::default() });
        let support = Support::new(BACKEND, |_| Ability::enforced("a measurement"));
        let plan = Plan::resolve(&policy, &support)?;
        Ok(Parts { host, support, policy, program, plan, account: ended_well() })
    }
}

impl Parts {
    /// The filter of system calls, as bytes, compiled anew.
    pub fn filter(&self) -> Vec<u8> {
        let filter = prepare::which_filter(&self.plan);
        filter.map_or_else(Vec::new, |(profile, sockets)| {
            stockade_seccomp::compiled(profile, sockets, true)
        })
    }

    /// All that `prepare` computes, as bytes for a warden: recipe of the root, and plan.
    ///
    /// # Errors
    /// As `prepare`.
    pub fn draw(&self) -> Result<[Vec<u8>; 2]> {
        let Self { host, support, policy, program, .. } = self;
        let blueprint = Blueprint::draw(host, support, LANDLOCK_ABI, policy, program)?;
        let plan = blueprint.wire(0);
        Ok([blueprint.recipe, plan])
    }

    /// The report of a run that ended well.
    ///
    /// # Errors
    /// None.
    pub fn report(&self) -> Result<Report> {
        let birth = Birth { begun: 0, prepare_ns: 0 };
        let printed = [Printed::default(), Printed::default()];
        outcome::report(&self.plan, &self.account, birth, printed)
    }
}

/// A board on which nothing failed, and all that was read back is as it should be.
fn ended_well() -> Account {
    let mut words = [1_u64; WORDS];
    let mut set = |word: Word, value| words[word as usize] = value;
    for none in [
        Word::Errno,
        Word::Stop,
        Word::Status,
        Word::OomKills,
        Word::OomEvents,
        Word::OomEventKills,
        Word::TaskRefusals,
        Word::DiskFull,
        Word::ReadCapabilities,
        Word::ReadInterfaces,
    ] {
        set(none, 0);
    }
    set(Word::ReadSeccomp, 2);
    set(Word::ReadSpaces, u64::MAX);
    Account::read(&words.map(u64::to_ne_bytes).concat())
}

#[cfg(test)]
mod tests;
