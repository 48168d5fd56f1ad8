//! The kinds of runs.

use std::time::Duration;

use stockade::{Base, Bytes, Limit, Mount, NetworkMode, Policy, Program, Sandbox};
use stockade_guests::{
    ECHO_STDIN, EXIT_CODE, FORK_BOMB, GRANDCHILD_HOLDS_PIPE, Guest, HELLO, IGNORE_SIGNALS_AND_STOP,
    MEMORY_BOMB, ORPHAN_STORM, SLEEP_FOREVER, SPIN, STDOUT_FLOOD,
};

use super::{Case, End, Way, accept_approximations};
use crate::Failure;

/// A kind before it is prepared.
struct Kind {
    name: &'static str,
    guest: &'static Guest,
    args: &'static [&'static str],
    policy: fn(&mut Policy),
    way: Way,
    end: End,
    weight: u64,
}

const fn kind(
    name: &'static str,
    guest: &'static Guest,
    args: &'static [&'static str],
    way: Way,
    end: End,
    weight: u64,
) -> Kind {
    Kind { name, guest, args, policy: |_| {}, way, end, weight }
}

impl Kind {
    const fn under(mut self, policy: fn(&mut Policy)) -> Self {
        self.policy = policy;
        self
    }
}

const EXITS: Kind = kind("exit", &EXIT_CODE, &["0"], Way::Captured, End::Says(""), 30);
const PRINTS: Kind = kind("hello", &HELLO, &[], Way::Captured, End::Says("hello\n"), 20);
const ECHOES: Kind = kind("echo", &ECHO_STDIN, &[], Way::Echoed, End::Says("echoed"), 12);
const SPINS: Kind = kind("wall time", &SPIN, &[], Way::Captured, End::Limit, 3).under(short);
const FLOODS: Kind =
    kind("output flood", &STDOUT_FLOOD, &[], Way::Captured, End::Limit, 2).under(terse);
const EATS: Kind =
    kind("memory", &MEMORY_BOMB, &[], Way::Captured, End::Limit, 1).under(|policy| {
        policy.limits.memory = Bytes(16 << 20).into();
    });
const SLEEPS: Kind = kind("killed", &SLEEP_FOREVER, &[], Way::Killed, End::Cancelled, 8);
const SPINS_ON: Kind = kind("dropped", &SPIN, &[], Way::Dropped, End::Cancelled, 6);

const NATIVE: [Kind; 9] = [
    kind("built before", &HELLO, &[], Way::Captured, End::Says("hello\n"), 8)
        .under(|policy| policy.warm = 3),
    kind("loopback", &HELLO, &[], Way::Captured, End::Says("hello\n"), 3)
        .under(|policy| policy.network.mode = NetworkMode::Loopback),
    kind("host's network", &HELLO, &[], Way::Captured, End::Says("hello\n"), 2)
        .under(|policy| policy.network.mode = NetworkMode::Host),
    kind("system's files", &HELLO, &[], Way::Captured, End::Says("hello\n"), 5)
        .under(|policy| policy.filesystem.base = Base::System),
    kind(
        "orphans",
        &ORPHAN_STORM,
        &["8", "60000"],
        Way::Captured,
        End::Says("orphans 8\nfork: ok\n"),
        5,
    ),
    kind("held pipe", &GRANDCHILD_HOLDS_PIPE, &[], Way::Captured, End::Says("parent done\n"), 5),
    kind("fork bomb", &FORK_BOMB, &[], Way::Captured, End::Limit, 2).under(|policy| {
        policy.limits.processes = Limit::At(16);
        policy.limits.wall_time = Duration::from_secs(2).into();
    }),
    kind("stubborn, killed", &IGNORE_SIGNALS_AND_STOP, &[], Way::Killed, End::Cancelled, 4),
    kind("stubborn, dropped", &IGNORE_SIGNALS_AND_STOP, &[], Way::Dropped, End::Cancelled, 4),
];

const COMMON: [Kind; 8] = [EXITS, PRINTS, ECHOES, SPINS, FLOODS, EATS, SLEEPS, SPINS_ON];

fn short(policy: &mut Policy) {
    policy.limits.wall_time = Duration::from_millis(20).into();
}

fn terse(policy: &mut Policy) {
    policy.limits.output = Bytes(64 << 10).into();
}

pub(super) fn native(sandbox: &dyn Sandbox) -> Result<Vec<Case>, Failure> {
    let kinds = COMMON.into_iter().chain(NATIVE);
    kinds
        .map(|kind| {
            let mut policy = Policy::default();
            policy.filesystem.base = Base::Empty;
            policy.filesystem.mounts.push(Mount::read_only(kind.guest.path, "/guest"));
            let program = Program::executable("/guest").args(kind.args);
            kind.prepare(sandbox, policy, program)
        })
        .collect()
}

pub(super) fn modules(sandbox: &dyn Sandbox) -> Result<Vec<Case>, Failure> {
    let kinds = COMMON.into_iter().filter_map(|kind| Some((kind.guest.module?, kind)));
    kinds
        .map(|(module, kind)| {
            let program = Program::module(module).args(kind.args);
            kind.prepare(sandbox, Policy::default(), program)
        })
        .collect()
}

impl Kind {
    fn prepare(
        self,
        sandbox: &dyn Sandbox,
        mut policy: Policy,
        program: Program,
    ) -> Result<Case, Failure> {
        // A busy machine is no reason to end.
        policy.limits.wall_time = Duration::from_secs(60).into();
        policy.limits.cpu_time = Duration::from_secs(60).into();
        (self.policy)(&mut policy);
        accept_approximations(&mut policy, sandbox);
        let prepared = sandbox
            .prepare(&policy, &program)
            .map_err(|error| format!("`{}` cannot be prepared: {error:?}", self.name))?;
        let Self { name, way, end, weight, .. } = self;
        Ok(Case { name, prepared, way, end, weight })
    }
}
