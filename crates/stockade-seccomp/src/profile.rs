//! The rules of the two profiles.

use std::collections::HashMap;

use super::compile::{self, Range};
use super::numbers::Arch;
use super::rule::{
    Action::{self, Allow, Errno, KillProcess},
    Clause,
    Decision::{self, Always, Checked},
    HIGH, differs, equals, has_any, masked_differs, masked_equals,
};
use super::{Profile, Sockets};

/// A profile's decision for every system call, by name.
#[derive(Debug)]
pub(super) struct Rules {
    named: HashMap<&'static str, Decision<'static>>,
    otherwise: Action,
}

impl Rules {
    /// The rules of `profile`.
    pub(super) fn new(profile: Profile, sockets: Sockets) -> Self {
        let (otherwise, lists) = match profile {
            Profile::Default => (Allow, DEFAULT),
            Profile::Strict => (KillProcess, STRICT),
        };
        let mut named = HashMap::new();
        for &(action, names) in lists {
            named.extend(names.split_ascii_whitespace().map(|name| (name, Always(action))));
        }
        // A check narrows a call that is allowed; it never lets one in.
        let mut narrow = |name, clauses| {
            let decision = named.entry(name).or_insert(Always(otherwise));
            if *decision == Always(Allow) {
                *decision = Checked(clauses);
            }
        };
        for &(name, clauses) in CHECKS {
            narrow(name, clauses);
        }
        for name in ["socket", "socketpair"] {
            narrow(name, families(sockets));
        }
        Self { named, otherwise }
    }

    /// Refuses memory that belongs to no process: where nothing but processes is looked at, it
    /// would escape every count.
    pub(super) fn refuse_hidden_memory(&mut self) {
        self.named.extend(["memfd_create", "shmget"].map(|name| (name, Always(ENOSYS))));
    }

    /// What becomes of the system call `name`.
    pub(super) fn decision(&self, name: &str) -> Decision<'static> {
        self.named.get(name).copied().unwrap_or(Always(self.otherwise))
    }

    /// The decisions for all numbers of `arch`.
    ///
    /// A number without a name is answered with `ENOSYS`: gaps, calls of kernels to come, and on
    /// x86-64 the x32 ABI, whose numbers carry bit 30.
    pub(super) fn ranges(&self, arch: &Arch) -> Vec<Range<'static>> {
        let calls = arch.calls().map(|(number, name)| (number, self.decision(name)));
        compile::ranges(calls, Always(ENOSYS), &[])
    }

    /// Every name the profile mentions.
    #[cfg(test)]
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> {
        self.named.keys().copied()
    }
}

const EPERM: Action = Errno(libc::EPERM as u16);
/// Answers success and does nothing.
const DONE: Action = Errno(0);
/// Makes callers fall back as on an older kernel.
pub(super) const ENOSYS: Action = Errno(libc::ENOSYS as u16);
const ENOTSOCK: Action = Errno(libc::ENOTSOCK as u16);
const EAFNOSUPPORT: Action = Errno(libc::EAFNOSUPPORT as u16);
const EPROTONOSUPPORT: Action = Errno(libc::EPROTONOSUPPORT as u16);

/// Calls whose arguments matter, with the clauses that refuse some of them.
const CHECKS: &[(&str, &[Clause<'_>])] = &[
    ("clone", &[(&[has_any(0, NAMESPACES)], EPERM)]),
    ("unshare", &[(&[has_any(0, !UNSHAREABLE)], EPERM)]),
    ("personality", &[(&[differs(0, u32::MAX), has_any(0, !PERSONALITIES)], EPERM)]),
    // Own limits only: a pid, even the caller's own, could name a process of another trust level.
    (
        "prlimit64",
        &[
            (&[differs(0, 0)], EPERM),
            (&[equals(1, libc::RLIMIT_CORE), differs(2, 0)], DONE),
            (&[equals(1, libc::RLIMIT_CORE), differs(2 + HIGH, 0)], DONE),
        ],
    ),
    // The limit is 1, which alone keeps a crash from starting the host's handler, whatever
    // core_pattern says (core(5)). Programs that ask for no dumps have none already.
    ("setrlimit", &[(&[equals(0, libc::RLIMIT_CORE)], DONE)]),
    // A lease on a shared file makes the host wait for the sandbox; notifications tell it what
    // others do there.
    (
        "fcntl",
        &[
            (&[equals(1, libc::F_SETLEASE as u32)], EPERM),
            (&[equals(1, libc::F_NOTIFY as u32)], EPERM),
        ],
    ),
    ("prctl", &[(&[equals(0, libc::PR_SET_MM as u32)], EPERM)]),
    (
        "ioctl",
        &[
            // Type into the terminal that started the sandbox.
            (&[equals(1, libc::TIOCSTI as u32)], EPERM),
            (&[equals(1, libc::TIOCLINUX as u32)], EPERM),
            // Load a line discipline, a steady source of kernel bugs.
            (&[equals(1, libc::TIOCSETD as u32)], EPERM),
        ],
    ),
    // A set-id file in a writable bind mount would outlive the sandbox. mkdir needs no check: the
    // kernel drops these bits from its mode.
    ("chmod", &[(&[has_any(1, SET_ID)], EPERM)]),
    ("fchmod", &[(&[has_any(1, SET_ID)], EPERM)]),
    ("fchmodat", &[(&[has_any(2, SET_ID)], EPERM)]),
    ("fchmodat2", &[(&[has_any(2, SET_ID)], EPERM)]),
    ("creat", &[(&[has_any(1, SET_ID)], EPERM)]),
    ("open", &[(&[has_any(1, CREATES), has_any(2, SET_ID)], EPERM)]),
    ("openat", &[(&[has_any(2, CREATES), has_any(3, SET_ID)], EPERM)]),
    ("mknod", &[(&[has_any(1, SET_ID)], EPERM), (&[masked_equals(1, DEVICE.0, DEVICE.1)], EPERM)]),
    (
        "mknodat",
        &[(&[has_any(2, SET_ID)], EPERM), (&[masked_equals(2, DEVICE.0, DEVICE.1)], EPERM)],
    ),
];

/// `CLONE_NEWTIME` is absent: clone(2) reads its bit as part of the exit signal.
const NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

/// What unshare(2) may still take: everything that is no namespace.
const UNSHAREABLE: u32 = (libc::CLONE_FILES
    | libc::CLONE_FS
    | libc::CLONE_SIGHAND
    | libc::CLONE_SYSVSEM
    | libc::CLONE_THREAD
    | libc::CLONE_VM) as u32;

/// `PER_LINUX32` and `UNAME26`, which only change what uname(2) says. The others weaken address
/// space randomisation or memory protection.
const PERSONALITIES: u32 = 0x0008 | 0x2_0000;

const SET_ID: u32 = libc::S_ISUID | libc::S_ISGID;

/// Flags with which open(2) reads its mode; without them the argument is garbage.
const CREATES: u32 = (libc::O_CREAT | (libc::O_TMPFILE & !libc::O_DIRECTORY)) as u32;

/// Mask and value that tell character and block devices from every other file type.
const DEVICE: (u32, u32) = (0o12_0000, libc::S_IFCHR & libc::S_IFBLK);

fn families(sockets: Sockets) -> &'static [Clause<'static>] {
    const UNIX: u32 = libc::AF_UNIX as u32;
    const INET: u32 = libc::AF_INET as u32;
    const INET6: u32 = libc::AF_INET6 as u32;
    /// The rest of the type argument is `SOCK_CLOEXEC` and `SOCK_NONBLOCK`.
    const TYPE: u32 = 0xf;
    match sockets {
        Sockets::UnixOnly => const { &[(&[differs(0, UNIX)], EAFNOSUPPORT)] },
        Sockets::Inet => {
            const {
                &[
                    (&[differs(0, UNIX), differs(0, INET), differs(0, INET6)], EAFNOSUPPORT),
                    (
                        &[
                            differs(0, UNIX),
                            masked_differs(1, TYPE, libc::SOCK_STREAM as u32),
                            masked_differs(1, TYPE, libc::SOCK_DGRAM as u32),
                        ],
                        EPERM,
                    ),
                    // Others (SCTP, DCCP, MPTCP, …) would load seldom tested kernel modules.
                    (
                        &[
                            differs(0, UNIX),
                            differs(2, 0),
                            differs(2, libc::IPPROTO_TCP as u32),
                            differs(2, libc::IPPROTO_UDP as u32),
                            differs(2, libc::IPPROTO_UDPLITE as u32),
                        ],
                        EPROTONOSUPPORT,
                    ),
                ]
            }
        }
    }
}

/// The default profile: what is not listed is allowed.
const DEFAULT: &[(Action, &str)] = &[(EPERM, PRIVILEGED), (ENOSYS, MISSING)];

/// The strict profile: what is not listed kills the process.
const STRICT: &[(Action, &str)] = &[
    (Allow, ORDINARY),
    (ENOSYS, MISSING),
    (ENOSYS, PROBED),
    (EPERM, UNPRIVILEGED_FAILS),
    (EAFNOSUPPORT, "socket socketpair"),
    (ENOTSOCK, SOCKET_CALLS),
];

/// Refused by the default profile: no unprivileged program needs them, or an escape might.
const PRIVILEGED: &str = "
    setns chroot pivot_root mount umount2 move_mount open_tree open_tree_attr
    fsopen fsconfig fsmount fspick mount_setattr
    bpf perf_event_open userfaultfd ptrace process_vm_readv process_vm_writev process_madvise
    kcmp pidfd_getfd
    add_key request_key keyctl
    name_to_handle_at open_by_handle_at fanotify_init fanotify_mark lookup_dcookie
    quotactl quotactl_fd swapon swapoff acct reboot syslog vhangup sethostname setdomainname
    settimeofday clock_settime clock_adjtime adjtimex
    kexec_load kexec_file_load init_module finit_module delete_module
    create_module query_module get_kernel_syms
    iopl ioperm modify_ldt uselib ustat sysfs _sysctl nfsservctl
    mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages";

/// Absent in both profiles. Callers have a fallback; the filter cannot look behind the pointer
/// in which clone3 and openat2 carry their flags, nor into io_uring's rings. A watch on a shared
/// directory such as `/usr/bin` would tell what the host runs.
const MISSING: &str = "
    clone3 openat2 io_uring_setup io_uring_enter io_uring_register memfd_secret
    statmount listmount inotify_init inotify_init1 inotify_add_watch";

/// Tried by C libraries and language runtimes, which manage without.
const PROBED: &str = "
    cachestat futex_waitv futex_wake futex_wait futex_requeue map_shadow_stack
    get_mempolicy io_setup
    landlock_create_ruleset landlock_add_rule landlock_restrict_self
    lsm_get_self_attr lsm_list_modules pkey_alloc pkey_free pkey_mprotect
    setxattrat getxattrat listxattrat removexattrat file_getattr file_setattr";

/// Fails for an unprivileged program anyway, so it may as well fail gently.
const UNPRIVILEGED_FAILS: &str = "
    chown fchown lchown fchownat setpriority sched_setparam sched_setscheduler sched_setattr
    setxattr lsetxattr fsetxattr removexattr lremovexattr fremovexattr";

/// Shells and runtimes try these on their standard streams to learn what they are.
const SOCKET_CALLS: &str = "
    bind connect listen accept accept4 getsockname getpeername getsockopt setsockopt shutdown
    sendto recvfrom sendmsg recvmsg sendmmsg recvmmsg";

/// What compiled programs and CPython use to compute, and to work on files in their sandbox.
const ORDINARY: &str = "
    read write readv writev pread64 pwrite64 preadv pwritev preadv2 pwritev2 lseek
    open openat creat close close_range dup dup2 dup3 fcntl flock ioctl
    fsync fdatasync sync_file_range truncate ftruncate fallocate fadvise64 readahead
    sendfile copy_file_range splice tee pipe pipe2 eventfd eventfd2
    stat fstat lstat newfstatat statx statfs fstatfs access faccessat faccessat2
    readlink readlinkat getdents getdents64 getcwd chdir fchdir umask
    mkdir mkdirat rmdir unlink unlinkat rename renameat renameat2
    link linkat symlink symlinkat chmod fchmod fchmodat fchmodat2
    utime utimes futimesat utimensat
    getxattr lgetxattr fgetxattr listxattr llistxattr flistxattr
    poll ppoll select pselect6 epoll_create epoll_create1 epoll_ctl
    epoll_wait epoll_pwait epoll_pwait2
    mmap munmap mremap mprotect madvise brk msync mincore mseal
    mlock mlock2 munlock mlockall munlockall memfd_create membarrier
    clone fork vfork execve execveat exit exit_group wait4 waitid
    set_tid_address set_robust_list get_robust_list rseq futex restart_syscall
    getpid getppid gettid getpgid getpgrp setpgid getsid setsid
    getuid geteuid getgid getegid getgroups getresuid getresgid capget
    sched_yield sched_getaffinity sched_setaffinity sched_getparam sched_getscheduler
    sched_getattr sched_get_priority_max sched_get_priority_min sched_rr_get_interval
    getpriority getcpu getrlimit setrlimit prlimit64 getrusage times sysinfo uname
    arch_prctl prctl
    kill tkill tgkill rt_sigaction rt_sigprocmask rt_sigreturn rt_sigpending rt_sigtimedwait
    rt_sigqueueinfo rt_tgsigqueueinfo rt_sigsuspend sigaltstack signalfd signalfd4 pause
    pidfd_open pidfd_send_signal
    alarm getitimer setitimer timer_create timer_settime timer_gettime timer_getoverrun
    timer_delete timerfd_create timerfd_settime timerfd_gettime
    nanosleep clock_nanosleep clock_gettime clock_getres gettimeofday time
    getrandom";
