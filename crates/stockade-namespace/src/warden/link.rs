//! A connection to one warden.

use std::io;
use std::iter;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::process::Command;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal};
use stockade_warden::wire::request::{self, Hello, MAX_PLANS, MAX_POOLS, Operation, Packet, Reply};

use super::message::{packet, receive, sealed, send};
use super::roots::Roots;
use super::{IdRange, LinkError, launch, wait_nudging};
use crate::cgroup::Base;
use crate::limits::nanos;

/// What a warden has alive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Census {
    /// Runs alive or being cleaned up.
    pub runs: u64,
    /// Pooled pairs of namespaces.
    pub slots: u64,
    /// Cgroup sets, spare ones and those about to be removed included.
    pub groups: u64,
    /// Prepared plans.
    pub plans: u64,
    /// Built roots.
    pub roots: u64,
    /// Open descriptors of the warden.
    pub descriptors: u64,
    /// Sandboxes that wait for a start of [`Prepared::warm`](stockade_core::Prepared::warm) programs.
    pub waiting: u64,
}

/// How many runs of a plan wait, and when they do not.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Waiters {
    pub(crate) count: usize,
    /// After this time one that waits is replaced by a new one.
    pub(crate) age: Duration,
    /// With less memory available than this, none waits; in a cgroup an eighth of it is enough.
    pub(crate) floor: u64,
}

/// A running warden.
#[derive(Debug)]
pub(crate) struct Link {
    socket: OwnedFd,
    lost: AtomicBool,
    /// The process that launched it. A child forked from that process shares the socket, and must
    /// leave the warden alone.
    owner: u32,
    /// The warden.
    process: OwnedFd,
    /// Process id of the warden, as it sees itself.
    pub(crate) pid: u32,
    /// Newest Landlock ABI of the kernel; zero where there is none.
    pub(crate) landlock_abi: u64,
    /// Whether sandboxes can have no `/proc`.
    pub(crate) no_proc: bool,
    /// What it has built. The lock also gives each request its own reply.
    roots: Mutex<Roots>,
    /// The directories its cgroups are made in.
    groups: Option<Base>,
}

/// A warden that was launched and has not settled in.
#[derive(Debug)]
pub(crate) struct Newborn {
    socket: OwnedFd,
}

impl Newborn {
    /// Launches a warden beside the host.
    pub(crate) fn launch() -> Result<Self, LinkError> {
        Ok(Self { socket: launch::launch()? })
    }

    /// Launches a warden by a command that becomes the program which is its last argument.
    pub(crate) fn launch_by(launcher: Command, deadline: Instant) -> Result<Self, LinkError> {
        Ok(Self { socket: launch::launch_by(launcher, deadline)? })
    }

    /// Its process id, once it has moved into the cgroup whose `cgroup.procs` this is, if any.
    pub(crate) fn join(
        &self,
        group: Option<BorrowedFd<'_>>,
        deadline: Instant,
    ) -> Result<u32, LinkError> {
        let group: Vec<_> = group.into_iter().collect();
        send(&self.socket, &packet(Operation::Join), &group, || {})?;
        if !launch::is_readable(&self.socket, deadline) {
            return Err(LinkError::Message(io::ErrorKind::TimedOut.into()));
        }
        let reply = receive(&self.socket)?;
        match reply[1] {
            0 => Ok(reply[Reply::Detail as usize] as u32),
            errno => Err(LinkError::Join(io::Error::from_raw_os_error(errno as i32))),
        }
    }

    /// Has it settle in, with directories for its cgroups, and the group whose memory is to last.
    pub(crate) fn settle(
        self,
        ids: IdRange,
        host_network: bool,
        groups: Option<Base>,
        bound: Option<&OwnedFd>,
    ) -> Result<Link, LinkError> {
        let socket = self.socket;
        let mut packet = packet(Operation::Hello);
        let mut flags = 0;
        match ids {
            IdRange::Single => flags |= request::flags::SINGLE_ID,
            IdRange::Range { first, count } => {
                packet[Hello::FirstId as usize] = first.into();
                packet[Hello::Ids as usize] = count.into();
            }
        }
        if host_network {
            flags |= request::flags::HOST_NETWORK;
        }
        if bound.is_some() {
            flags |= request::flags::BOUNDED;
        }
        packet[Hello::Flags as usize] = flags;
        packet[Hello::Uid as usize] = rustix::process::geteuid().as_raw().into();
        packet[Hello::Gid as usize] = rustix::process::getegid().as_raw().into();
        // A child that the host forks shares the socket; the warden must end with the host itself.
        let host = pidfd(rustix::process::getpid())?;
        let mut fds = vec![host.as_fd()];
        fds.extend(bound.map(AsFd::as_fd));
        fds.extend(groups.iter().flat_map(Base::descriptors));
        send(&socket, &packet, &fds, || {})?;
        let reply = receive(&socket)?;
        if reply[1] != 0 {
            let source = io::Error::from_raw_os_error(reply[1] as i32);
            return Err(LinkError::Settle { step: reply[Reply::Detail as usize], source });
        }
        let pid = reply[Reply::Detail as usize] as u32;
        let process = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(LinkError::Lost)?;
        Ok(Link {
            process: pidfd(process)?,
            pid,
            landlock_abi: reply[Reply::Item as usize],
            no_proc: reply[Reply::NoProc as usize] != 0,
            socket,
            lost: AtomicBool::new(false),
            owner: std::process::id(),
            roots: Mutex::new(Roots::default()),
            groups,
        })
    }
}

impl Link {
    /// Whether the warden is known to be gone, or is another process's.
    pub(crate) fn is_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire) || self.owner != std::process::id()
    }

    /// The process it belongs to.
    pub(crate) fn owner(&self) -> u32 {
        self.owner
    }

    /// Notes that the warden is gone.
    pub(crate) fn lose(&self) {
        self.lost.store(true, Ordering::Release);
    }

    /// Whether the warden has gone by now; waits at most `patience_ms` for the news.
    pub(crate) fn has_gone(&self, patience_ms: i32) -> bool {
        // A sandbox that is being built holds a copy of the warden's end of the socket.
        let mut fds = [
            PollFd::new(&self.socket, PollFlags::empty()),
            PollFd::new(&self.process, PollFlags::IN),
        ];
        let patience = Timespec {
            tv_sec: (patience_ms / 1000).into(),
            tv_nsec: i64::from(patience_ms % 1000) * 1_000_000,
        };
        let _ = poll(&mut fds, Some(&patience));
        if fds.iter().any(|fd| !fd.revents().is_empty()) {
            self.lose();
        }
        self.is_lost()
    }

    fn noting_loss<T>(&self, result: Result<T, LinkError>) -> Result<T, LinkError> {
        if matches!(result, Err(LinkError::Lost)) {
            self.lose();
        }
        result
    }

    /// Continues the warden, should somebody have stopped it: it holds the deadlines of all runs,
    /// and builds those that wait. To a warden that runs this means nothing.
    pub(crate) fn nudge(&self) {
        if !self.is_lost() {
            // One that has just ended needs no nudge.
            let _ = pidfd_send_signal(&self.process, Signal::CONT);
        }
    }

    fn send(&self, packet: &Packet, fds: &[BorrowedFd<'_>]) -> Result<(), LinkError> {
        send(&self.socket, packet, fds, || self.nudge())
    }

    /// Asks and waits for the answer; the roots' lock keeps askers apart.
    fn ask(&self, packet: &Packet, fds: &[BorrowedFd<'_>]) -> Result<Packet, LinkError> {
        let answer = self.send(packet, fds).and_then(|()| {
            let _ = wait_nudging(&mut [PollFd::new(&self.socket, PollFlags::IN)], || self.nudge());
            receive(&self.socket)
        });
        self.noting_loss(answer)
    }

    /// The number of a root built from this recipe, built now if it is not there yet. `describe`
    /// names a record of the recipe. Every call is undone by one of [`Link::release_root`].
    pub(crate) fn root(
        &self,
        recipe: &[u8],
        describe: impl FnOnce(usize) -> String,
    ) -> Result<usize, LinkError> {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = roots.take(recipe) {
            return Ok(number);
        }
        let (number, evicted) = roots.reserve()?;
        if let Some(evicted) = evicted {
            self.tell(Operation::DropRoot, evicted)?;
        }
        let file = sealed("stockade-root", recipe)?;
        let mut packet = packet(Operation::MakeRoot);
        packet[2] = number as u64;
        let reply = self.ask(&packet, &[file.as_fd()])?;
        if reply[1] != 0 {
            let item = usize::try_from(reply[Reply::Item as usize]).unwrap_or(usize::MAX);
            let source = io::Error::from_raw_os_error(reply[1] as i32);
            return Err(LinkError::Root { what: describe(item), source });
        }
        roots.keep(number, recipe);
        Ok(number)
    }

    /// One user less of a root.
    pub(crate) fn release_root(&self, number: usize) {
        let mut roots = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        for surplus in roots.release(number) {
            // A lost warden has nothing left to drop.
            let _ = self.tell(Operation::DropRoot, surplus);
        }
    }

    /// Hands over a plan and gives its number.
    pub(crate) fn plan(&self, plan: &[u8]) -> Result<usize, LinkError> {
        let _one_at_a_time = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let file = sealed("stockade-plan", plan)?;
        let reply = self.ask(&packet(Operation::MakePlan), &[file.as_fd()])?;
        match reply[1] as i32 {
            0 => Ok(reply[Reply::Detail as usize] as usize),
            libc::EAGAIN => {
                Err(LinkError::Exhausted { what: "prepared programs", count: MAX_PLANS })
            }
            errno => Err(LinkError::Plan { source: io::Error::from_raw_os_error(errno) }),
        }
    }

    /// Takes a plan back.
    pub(crate) fn release_plan(&self, number: usize) {
        // A lost warden has nothing left to drop.
        let _ = self.tell(Operation::DropPlan, number);
    }

    /// Starts a run; everything else about it comes through `fds[0]`'s other end.
    pub(crate) fn start(&self, plan: usize, fds: &[BorrowedFd<'_>]) -> Result<(), LinkError> {
        let mut packet = packet(Operation::Start);
        packet[2] = plan as u64;
        self.noting_loss(self.send(&packet, fds))
    }

    /// Starts the one run of a plan; the rest as with [`Link::start`].
    pub(crate) fn start_once(&self, plan: &[u8], fds: &[BorrowedFd<'_>]) -> Result<(), LinkError> {
        let file = sealed("stockade-plan", plan)?;
        let fds: Vec<_> = iter::once(file.as_fd()).chain(fds.iter().copied()).collect();
        self.noting_loss(self.send(&packet(Operation::Once), &fds))
    }

    /// Has runs of a plan wait, on a shelf whose ends are given with the first such wish of the plan.
    pub(crate) fn warm(
        &self,
        plan: usize,
        waiters: Waiters,
        shelf: &[BorrowedFd<'_>],
    ) -> Result<(), LinkError> {
        let _one_at_a_time = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let mut packet = packet(Operation::Warm);
        packet[request::Warm::Plan as usize] = plan as u64;
        packet[request::Warm::Count as usize] = waiters.count as u64;
        packet[request::Warm::AgeNs as usize] = nanos(waiters.age);
        packet[request::Warm::Floor as usize] = waiters.floor;
        let reply = self.ask(&packet, shelf)?;
        match reply[1] as i32 {
            0 => Ok(()),
            libc::EAGAIN => Err(LinkError::Exhausted { what: "warm programs", count: MAX_POOLS }),
            errno => Err(LinkError::Plan { source: io::Error::from_raw_os_error(errno) }),
        }
    }

    /// Counts what the warden has alive.
    pub(crate) fn census(&self) -> Result<Census, LinkError> {
        let _one_at_a_time = self.roots.lock().unwrap_or_else(PoisonError::into_inner);
        let reply = self.ask(&packet(Operation::Census), &[])?;
        let word = |index: request::Census| reply[index as usize];
        Ok(Census {
            runs: word(request::Census::Runs),
            slots: word(request::Census::Slots),
            groups: word(request::Census::Groups),
            plans: word(request::Census::Plans),
            roots: word(request::Census::Roots),
            descriptors: word(request::Census::Descriptors),
            waiting: word(request::Census::Waiting),
        })
    }

    fn tell(&self, operation: Operation, number: usize) -> Result<(), LinkError> {
        if self.is_lost() {
            return Err(LinkError::Lost);
        }
        let mut packet = packet(operation);
        packet[2] = number as u64;
        self.noting_loss(self.send(&packet, &[]))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if self.owner != std::process::id() {
            std::mem::forget(self.groups.take());
            return;
        }
        // The warden ends when it reads the end of the socket, and removes its cgroups; dropping
        // the base waits for that, and does it for a warden that was killed.
        let _ = rustix::net::shutdown(&self.socket, rustix::net::Shutdown::Both);
        self.nudge();
    }
}

fn pidfd(process: Pid) -> Result<OwnedFd, LinkError> {
    pidfd_open(process, PidfdFlags::empty()).map_err(|errno| match errno {
        Errno::SRCH => LinkError::Lost,
        errno => LinkError::Message(errno.into()),
    })
}
