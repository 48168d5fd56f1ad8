//! The workload's process, from its fork to its `execve`: every door closed, filters last.

use crate::board::Board;
use crate::setup::Birth;
use crate::sys::{self, AT_FDCWD, CLONE_NEWCGROUP, CLONE_NEWUSER, Errno, O_PATH, Result};
use crate::wire::board::{Space, Step, Word};
use crate::wire::plan::{NO_WORD, Net, Number, Plan, Rlimit, Rule, Section};

/// How much sooner than others the kernel picks the workload when the host is out of memory.
const OOM_SCORE: &[u8] = b"500";

/// What a process is called that waits to be begun.
const WAITING: &[u8] = b"stockade-wait\0";

/// Becomes the program, or ends with the failed step on the board.
pub fn become_program(birth: &Birth) -> ! {
    birth.board.stamp(Word::TimeFork);
    let errno = match close_doors(birth).and_then(|()| settle_in(birth)) {
        Ok(()) => execute(birth),
        Err(errno) => errno,
    };
    birth.board.fail(errno);
    sys::exit(127)
}

/// Cgroups, namespaces and ids: what takes privileges, until there are none.
fn close_doors(birth: &Birth) -> Result<()> {
    let (board, plan) = (birth.board, birth.plan);
    let work_id = plan.number(Number::WorkId) as u32;

    board.begin(Step::JoinCgroup);
    birth.groups.join()?;
    match sys::unshare(CLONE_NEWCGROUP) {
        Ok(()) => board.own_space(Space::Cgroup),
        // A kernel without cgroups has none to show.
        Err(Errno::EINVAL) => {}
        Err(errno) => return Err(errno),
    }

    // The host should lose a workload before anything of its own; never the other way round. It may
    // be more than is allowed to be taken back, or less than there was.
    let _ = sys::write_file(birth.proc, b"self/oom_score_adj\0", OOM_SCORE);

    board.begin(Step::EnterUser);
    sys::enter_namespace(birth.user, CLONE_NEWUSER)?;
    board.own_space(Space::User);
    if plan.number(Number::Net) != Net::Host as u64 {
        board.own_space(Space::Net);
    }

    board.begin(Step::Capabilities);
    sys::drop_bounding_set()?;
    board.begin(Step::WorkIds);
    sys::set_ids(work_id, work_id)?;
    board.set(Word::ReadUid, u64::from(birth.work_id_outside));
    sys::new_session()?;

    Ok(())
}

/// What is left once the process has its ids: streams, directory, limits and filters.
fn settle_in(birth: &Birth) -> Result<()> {
    let (board, plan) = (birth.board, birth.plan);
    board.begin(Step::Streams);
    for (target, stream) in birth.streams.into_iter().enumerate() {
        sys::dup_onto(stream, target as sys::Fd)?;
        // The host's ends never wait. Each end of a pipe has flags of its own.
        sys::set_blocking(target as sys::Fd)?;
    }
    sys::close_on_exec_from(3)?;
    board.begin(Step::WorkDir);
    sys::set_umask(0o022);
    sys::enter_dir(plan.string(Section::WorkDir).ok_or(Errno::EPROTO)?)?;

    board.stamp(Word::TimeLimits);

    board.begin(Step::Capabilities);
    sys::set_capabilities(0)?;
    board.set(Word::ReadCapabilities, sys::capabilities()?);
    board.begin(Step::NoNewPrivs);
    board.set(Word::ReadNoNewPrivs, sys::no_new_privileges()?.into());
    board.begin(Step::Landlock);
    landlock(board, plan)?;
    // Late, since building needs more open files than a program may be allowed.
    board.begin(Step::Rlimits);
    rlimits(board, plan)?;
    board.set(Word::ReadPid, sys::pid() as u64);

    if birth.gate != 0 {
        sys::set_name(WAITING);
        // Whoever waits holds nothing of its warden's.
        if birth.gate > 3 {
            sys::close_between(3, birth.gate - 1)?;
        }
        sys::close_between(birth.gate + 1, sys::Fd::MAX)?;
    }
    // Init has less to do and is there first, nearly always.
    while board.get(Word::InitReady) == 0 {
        sys::pause(20_000);
    }
    board.begin(Step::Seccomp);
    let filter = plan.section(Section::Filter);
    if !filter.is_empty() {
        sys::install_filter(filter)?;
        // What the mode is by now: the call has no other way to succeed.
        board.set(Word::ReadSeccomp, 2);
    }
    Ok(())
}

fn rlimits(board: Board, plan: Plan<'_>) -> Result<()> {
    let mut records = plan.records(Section::Rlimits);
    let mut index = 0;
    while !records.is_empty() {
        board.item(index);
        index += 1;
        let limit = Rlimit::next(&mut records).ok_or(Errno::EPROTO)?;
        let now = sys::set_rlimit(limit.resource, limit.value)?;
        if limit.word != NO_WORD {
            board.set_index(limit.word as usize, now);
        }
    }
    Ok(())
}

fn landlock(board: Board, plan: Plan<'_>) -> Result<()> {
    let fs = plan.number(Number::LandlockFs);
    if fs == 0 {
        return Ok(());
    }
    let net = plan.number(Number::LandlockNet);
    let scopes = plan.number(Number::LandlockScopes);
    let ruleset = sys::landlock_ruleset(fs, net, scopes)?;
    let mut records = plan.records(Section::Rules);
    let mut index = 0;
    while !records.is_empty() {
        board.item(index);
        index += 1;
        let rule = Rule::next(&mut records).ok_or(Errno::EPROTO)?;
        let place = sys::open_at(AT_FDCWD, rule.path, O_PATH, 0)?;
        let result = sys::landlock_allow(ruleset, place, rule.rights & fs);
        sys::close(place);
        result?;
    }
    sys::landlock_restrict(ruleset)?;
    sys::close(ruleset);
    board.set(Word::ReadLandlock, 1);
    Ok(())
}

/// Waits, with everything done, until the host opens the gate.
fn wait_at(gate: sys::Fd, board: Board) -> Result<()> {
    board.begin(Step::Wait);
    board.stamp(Word::TimeWaiting);
    while let Err(errno) = sys::read(gate, &mut [0; 8]) {
        if errno != Errno::EINTR {
            return Err(errno);
        }
    }
    // What was done before took nothing of this run's time.
    let now = sys::now();
    for word in
        [Word::TimeRequest, Word::TimeClone, Word::TimeMounts, Word::TimeFork, Word::TimeLimits]
    {
        board.set(word, now);
    }
    Ok(())
}

fn execute(birth: &Birth) -> Errno {
    let board = birth.board;
    if birth.gate != 0
        && let Err(errno) = wait_at(birth.gate, board)
    {
        return errno;
    }
    board.begin(Step::Exec);
    board.stamp(Word::TimeExec);
    let Some(program) = birth.plan.string(Section::Program) else { return Errno::EPROTO };
    let (arguments, environment) = birth.vectors;
    sys::execute(program, arguments, environment)
}
