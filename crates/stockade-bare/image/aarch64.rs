//! aarch64: the entry point, the system call instruction and the numbers.

use core::arch::{asm, global_asm};

global_asm!(
    ".globl _start",
    "_start:",
    "mov x29, #0",
    "mov x30, #0",
    "mov x0, sp",
    "bl {main}",
    "brk #1",
    main = sym super::bare_main
);

/// Issues a system call.
///
/// # Safety
/// The arguments must be what the call expects: pointers must be valid for what the kernel does
/// with them.
#[inline(always)]
pub unsafe fn syscall(nr: usize, args: [usize; 6]) -> isize {
    let ret;
    // SAFETY: the kernel changes x0 and nothing else; the caller vouches for the rest.
    unsafe {
        asm!(
            "svc #0",
            in("x8") nr,
            inlateout("x0") args[0] as isize => ret,
            in("x1") args[1], in("x2") args[2], in("x3") args[3],
            in("x4") args[4], in("x5") args[5],
            options(nostack)
        );
    }
    ret
}

pub const STAT_MODE: (usize, usize) = (2, 0);
pub const STAT_OWNER: [(usize, usize); 2] = [(3, 0), (3, 32)];

pub mod nr {
    pub const SETXATTR: usize = 5;
    pub const LOOKUP_DCOOKIE: usize = 18;
    pub const EVENTFD2: usize = 19;
    pub const EPOLL_CREATE1: usize = 20;
    pub const EPOLL_CTL: usize = 21;
    pub const DUP: usize = 23;
    pub const DUP3: usize = 24;
    pub const FCNTL: usize = 25;
    pub const IOCTL: usize = 29;
    pub const IOPRIO_SET: usize = 30;
    pub const FLOCK: usize = 32;
    pub const MKNODAT: usize = 33;
    pub const MKDIRAT: usize = 34;
    pub const UNLINKAT: usize = 35;
    pub const SYMLINKAT: usize = 36;
    pub const LINKAT: usize = 37;
    pub const UMOUNT2: usize = 39;
    pub const MOUNT: usize = 40;
    pub const PIVOT_ROOT: usize = 41;
    pub const STATFS: usize = 43;
    pub const FSTATFS: usize = 44;
    pub const TRUNCATE: usize = 45;
    pub const FTRUNCATE: usize = 46;
    pub const FALLOCATE: usize = 47;
    pub const CHDIR: usize = 49;
    pub const FCHDIR: usize = 50;
    pub const CHROOT: usize = 51;
    pub const FCHMOD: usize = 52;
    pub const FCHMODAT: usize = 53;
    pub const FCHOWNAT: usize = 54;
    pub const FCHOWN: usize = 55;
    pub const OPENAT: usize = 56;
    pub const CLOSE: usize = 57;
    pub const VHANGUP: usize = 58;
    pub const PIPE2: usize = 59;
    pub const QUOTACTL: usize = 60;
    pub const GETDENTS64: usize = 61;
    pub const LSEEK: usize = 62;
    pub const READ: usize = 63;
    pub const WRITE: usize = 64;
    pub const PREAD64: usize = 67;
    pub const PWRITE64: usize = 68;
    pub const PSELECT6: usize = 72;
    pub const PPOLL: usize = 73;
    pub const SIGNALFD4: usize = 74;
    pub const VMSPLICE: usize = 75;
    pub const READLINKAT: usize = 78;
    pub const NEWFSTATAT: usize = 79;
    pub const FSTAT: usize = 80;
    pub const SYNC: usize = 81;
    pub const UTIMENSAT: usize = 88;
    pub const ACCT: usize = 89;
    pub const CAPGET: usize = 90;
    pub const CAPSET: usize = 91;
    pub const PERSONALITY: usize = 92;
    pub const EXIT: usize = 93;
    pub const EXIT_GROUP: usize = 94;
    pub const WAITID: usize = 95;
    pub const UNSHARE: usize = 97;
    pub const FUTEX: usize = 98;
    pub const NANOSLEEP: usize = 101;
    pub const KEXEC_LOAD: usize = 104;
    pub const INIT_MODULE: usize = 105;
    pub const CLOCK_SETTIME: usize = 112;
    pub const CLOCK_GETTIME: usize = 113;
    pub const SYSLOG: usize = 116;
    pub const PTRACE: usize = 117;
    pub const SCHED_SETSCHEDULER: usize = 119;
    pub const SCHED_SETAFFINITY: usize = 122;
    pub const SCHED_GETAFFINITY: usize = 123;
    pub const KILL: usize = 129;
    pub const TKILL: usize = 130;
    pub const TGKILL: usize = 131;
    pub const RT_SIGACTION: usize = 134;
    pub const RT_SIGPROCMASK: usize = 135;
    pub const SETPRIORITY: usize = 140;
    pub const GETPRIORITY: usize = 141;
    pub const REBOOT: usize = 142;
    pub const SETRESUID: usize = 147;
    pub const GETRESUID: usize = 148;
    pub const SETRESGID: usize = 149;
    pub const SETPGID: usize = 154;
    pub const GETPGID: usize = 155;
    pub const SETSID: usize = 157;
    pub const SETGROUPS: usize = 159;
    pub const UNAME: usize = 160;
    pub const SETHOSTNAME: usize = 161;
    pub const SETRLIMIT: usize = 164;
    pub const GETRUSAGE: usize = 165;
    pub const UMASK: usize = 166;
    pub const PRCTL: usize = 167;
    pub const SETTIMEOFDAY: usize = 170;
    pub const GETPID: usize = 172;
    pub const GETPPID: usize = 173;
    pub const GETTID: usize = 178;
    pub const MQ_OPEN: usize = 180;
    pub const MQ_UNLINK: usize = 181;
    pub const MSGGET: usize = 186;
    pub const MSGCTL: usize = 187;
    pub const SEMGET: usize = 190;
    pub const SEMCTL: usize = 191;
    pub const SHMGET: usize = 194;
    pub const SHMCTL: usize = 195;
    pub const SHMAT: usize = 196;
    pub const SOCKET: usize = 198;
    pub const SOCKETPAIR: usize = 199;
    pub const BIND: usize = 200;
    pub const LISTEN: usize = 201;
    pub const CONNECT: usize = 203;
    pub const SENDTO: usize = 206;
    pub const RECVFROM: usize = 207;
    pub const SETSOCKOPT: usize = 208;
    pub const GETSOCKOPT: usize = 209;
    pub const SENDMSG: usize = 211;
    pub const RECVMSG: usize = 212;
    pub const BRK: usize = 214;
    pub const MUNMAP: usize = 215;
    pub const ADD_KEY: usize = 217;
    pub const REQUEST_KEY: usize = 218;
    pub const KEYCTL: usize = 219;
    pub const CLONE: usize = 220;
    pub const EXECVE: usize = 221;
    pub const MMAP: usize = 222;
    pub const SWAPON: usize = 224;
    pub const MLOCK: usize = 228;
    pub const MLOCKALL: usize = 230;
    pub const MADVISE: usize = 233;
    pub const PERF_EVENT_OPEN: usize = 241;
    pub const ACCEPT4: usize = 242;
    pub const WAIT4: usize = 260;
    pub const PRLIMIT64: usize = 261;
    pub const FANOTIFY_INIT: usize = 262;
    pub const NAME_TO_HANDLE_AT: usize = 264;
    pub const OPEN_BY_HANDLE_AT: usize = 265;
    pub const SETNS: usize = 268;
    pub const PROCESS_VM_READV: usize = 270;
    pub const PROCESS_VM_WRITEV: usize = 271;
    pub const KCMP: usize = 272;
    pub const FINIT_MODULE: usize = 273;
    pub const RENAMEAT2: usize = 276;
    pub const SECCOMP: usize = 277;
    pub const MEMFD_CREATE: usize = 279;
    pub const BPF: usize = 280;
    pub const EXECVEAT: usize = 281;
    pub const USERFAULTFD: usize = 282;
    pub const COPY_FILE_RANGE: usize = 285;
    pub const PIDFD_SEND_SIGNAL: usize = 424;
    pub const IO_URING_SETUP: usize = 425;
    pub const OPEN_TREE: usize = 428;
    pub const MOVE_MOUNT: usize = 429;
    pub const FSOPEN: usize = 430;
    pub const FSPICK: usize = 433;
    pub const PIDFD_OPEN: usize = 434;
    pub const CLONE3: usize = 435;
    pub const OPENAT2: usize = 437;
    pub const PIDFD_GETFD: usize = 438;
    pub const PROCESS_MADVISE: usize = 440;
    pub const MOUNT_SETATTR: usize = 442;
}
