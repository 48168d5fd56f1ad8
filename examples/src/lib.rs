//! What the examples share: the answer to a host without cgroups of one's own.

use stockade::{Ability, Control, Policy, Sandbox};

/// Lists under `best_effort` exactly those of the controls below that are only approximated here,
/// and returns them.
///
/// Memory, CPU time and processes are bounded by cgroups. An ordinary user without a delegated
/// cgroup has none, and Stockade then samples the process tree instead, a few milliseconds apart.
/// A policy has to accept that, or the run does not start; the report says so in either case. Where
/// cgroups can be used, this changes nothing. A module's CPU rate (`cpus`) is an approximation on
/// every host.
pub fn accept_approximations(policy: &mut Policy, sandbox: &dyn Sandbox) -> Vec<Control> {
    let weaker = |control: &Control| {
        policy.asks_for(*control)
            && matches!(sandbox.support().ability(*control), Ability::Approximated { .. })
    };
    let accepted: Vec<Control> =
        [Control::Memory, Control::CpuTime, Control::Cpus, Control::Processes]
            .into_iter()
            .filter(weaker)
            .collect();
    policy.best_effort.extend(&accepted);
    accepted
}
