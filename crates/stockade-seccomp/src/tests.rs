mod equivalence;
mod numbers;
mod rulesets;
mod table;

use super::interpret::{Call, run};
use super::numbers::{AARCH64, Arch, X86_64};
use super::profile::Rules;
use super::rule::Action::{self, Allow, Errno, KillProcess};
use super::{Instruction, Profile, Sockets, describe, filter, filter_for, to_bytes};

const EPERM: Action = Errno(libc::EPERM as u16);
const ENOSYS: Action = Errno(libc::ENOSYS as u16);
const EAFNOSUPPORT: Action = Errno(libc::EAFNOSUPPORT as u16);
const EPROTONOSUPPORT: Action = Errno(libc::EPROTONOSUPPORT as u16);

const ARCHES: [&Arch; 2] = [&X86_64, &AARCH64];
const SHAPES: [(Profile, Sockets); 4] = [
    (Profile::Default, Sockets::UnixOnly),
    (Profile::Default, Sockets::Inet),
    (Profile::Strict, Sockets::UnixOnly),
    (Profile::Strict, Sockets::Inet),
];
/// Bits a caller may set in the upper half of a 32-bit argument's register.
const HIGH: u64 = 0xdead_beef_0000_0000;

fn number(arch: &Arch, wanted: &str) -> Option<u32> {
    arch.calls().find(|&(_, name)| name == wanted).map(|(number, _)| number)
}

fn newest(arch: &Arch) -> u32 {
    arch.calls().map(|(number, _)| number).max().unwrap_or(0)
}

fn call(arch: &Arch, number: u32, args: [u64; 6]) -> Call {
    Call { number, arch: arch.audit, pointer: 0x7fff_1234_5678, args }
}

/// Asserts what both architectures answer to a call, whatever is in the upper halves.
#[track_caller]
fn expect(shape: (Profile, Sockets), name: &str, args: &[u64], expected: Action) {
    let mut known = false;
    for arch in ARCHES {
        let Some(number) = number(arch, name) else { continue };
        known = true;
        let program = filter_for(arch, &Rules::new(shape.0, shape.1));
        for high in [0, HIGH] {
            let mut registers = [high; 6];
            for (register, value) in registers.iter_mut().zip(args) {
                *register |= value & u64::from(u32::MAX);
            }
            let outcome = run(&program, &call(arch, number, registers));
            assert_eq!(outcome.value, expected.code(), "{name}{args:x?} {shape:?} {high:#x}");
        }
    }
    assert!(known, "{name} is no system call");
}

fn default(name: &str, args: &[u64], expected: Action) {
    expect((Profile::Default, Sockets::UnixOnly), name, args, expected);
    expect((Profile::Default, Sockets::Inet), name, args, expected);
}

fn strict(name: &str, args: &[u64], expected: Action) {
    expect((Profile::Strict, Sockets::UnixOnly), name, args, expected);
}

fn both(name: &str, args: &[u64], expected: Action) {
    default(name, args, expected);
    strict(name, args, expected);
}

#[test]
fn user_namespaces_are_refused() {
    let flag = libc::CLONE_NEWUSER as u64;
    both("clone", &[flag | libc::SIGCHLD as u64], EPERM);
    default("unshare", &[flag], EPERM);
    strict("unshare", &[flag], KillProcess);
    both("clone3", &[], ENOSYS);
}

#[test]
fn no_kind_of_namespace_can_be_made_or_entered() {
    for shift in [17, 25, 26, 27, 28, 29, 30] {
        both("clone", &[1 << shift], EPERM);
        default("unshare", &[1 << shift], EPERM);
    }
    default("unshare", &[libc::CLONE_NEWTIME as u64], EPERM);
    default("setns", &[], EPERM);
}

#[test]
fn threads_and_forks_are_allowed() {
    let thread = libc::CLONE_VM
        | libc::CLONE_FS
        | libc::CLONE_FILES
        | libc::CLONE_SIGHAND
        | libc::CLONE_THREAD
        | libc::CLONE_SYSVSEM
        | libc::CLONE_SETTLS
        | libc::CLONE_PARENT_SETTID
        | libc::CLONE_CHILD_CLEARTID;
    both("clone", &[thread as u64], Allow);
    both("clone", &[(libc::CLONE_VM | libc::CLONE_VFORK | libc::SIGCHLD) as u64], Allow);
    both("fork", &[], Allow);
    both("vfork", &[], Allow);
    default("unshare", &[(libc::CLONE_FS | libc::CLONE_FILES) as u64], Allow);
}

#[test]
fn the_launcher_can_reach_execve() {
    for name in ["execve", "execveat", "write", "close", "futex", "exit", "exit_group"] {
        for (profile, sockets) in SHAPES {
            for arch in ARCHES {
                let number = number(arch, name).expect(name);
                let outcome = run(
                    &filter_for(arch, &Rules::new(profile, sockets)),
                    &call(arch, number, [0; 6]),
                );
                assert_eq!(outcome.value, Allow.code(), "{name}");
                assert!(!outcome.read_arguments, "{name}");
            }
        }
    }
}

#[test]
fn kernel_attack_surface_is_refused() {
    let names = "setns chroot pivot_root mount umount2 move_mount open_tree open_tree_attr fsopen
        fsconfig fsmount fspick mount_setattr bpf userfaultfd perf_event_open keyctl add_key
        request_key kexec_load kexec_file_load init_module finit_module delete_module
        open_by_handle_at name_to_handle_at ptrace process_vm_readv process_vm_writev
        process_madvise kcmp pidfd_getfd fanotify_init fanotify_mark quotactl quotactl_fd swapon
        swapoff acct reboot sethostname setdomainname settimeofday clock_settime clock_adjtime
        adjtimex iopl ioperm modify_ldt syslog lookup_dcookie nfsservctl vhangup uselib ustat
        sysfs _sysctl mbind set_mempolicy set_mempolicy_home_node migrate_pages move_pages
        create_module query_module get_kernel_syms";
    for name in names.split_whitespace() {
        default(name, &[], EPERM);
        strict(name, &[], KillProcess);
    }
}

#[test]
fn calls_with_a_fallback_look_absent() {
    for name in [
        "io_uring_setup",
        "io_uring_enter",
        "io_uring_register",
        "openat2",
        "clone3",
        "memfd_secret",
        "statmount",
        "listmount",
    ] {
        both(name, &[], ENOSYS);
    }
}

#[test]
fn tiocsti_is_refused_whatever_the_high_bits() {
    for command in [libc::TIOCSTI, libc::TIOCLINUX, libc::TIOCSETD] {
        both("ioctl", &[0, command], EPERM);
    }
    for command in [libc::TCGETS, libc::TIOCGWINSZ, libc::FIONREAD, libc::FIONBIO] {
        both("ioctl", &[0, command], Allow);
    }
}

#[test]
fn only_unix_sockets_exist_without_a_network() {
    let shape = (Profile::Default, Sockets::UnixOnly);
    for name in ["socket", "socketpair"] {
        for family in (0..64).chain([0xffff_ffff]) {
            let expected = if family == libc::AF_UNIX as u64 { Allow } else { EAFNOSUPPORT };
            expect(shape, name, &[family, 1], expected);
        }
    }
}

#[test]
fn a_network_means_tcp_and_udp_only() {
    let shape = (Profile::Default, Sockets::Inet);
    /// `SOCK_PACKET`, which the libc crate deprecates.
    const PACKET: i32 = 10;
    let flags = (libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK) as u64;
    for family in 0..64 {
        let inet = family == libc::AF_INET as u64 || family == libc::AF_INET6 as u64;
        let unix = family == libc::AF_UNIX as u64;
        let usual = if inet || unix { Allow } else { EAFNOSUPPORT };
        expect(shape, "socket", &[family, libc::SOCK_STREAM as u64 | flags, 0], usual);
        expect(shape, "socket", &[family, libc::SOCK_DGRAM as u64, 0], usual);
        for kind in [libc::SOCK_RAW, PACKET, libc::SOCK_SEQPACKET, libc::SOCK_DCCP] {
            let expected = if inet { EPERM } else { usual };
            expect(shape, "socket", &[family, kind as u64 | flags, 0], expected);
        }
        for protocol in [libc::IPPROTO_SCTP, libc::IPPROTO_MPTCP, libc::IPPROTO_ICMP] {
            let expected = if inet { EPROTONOSUPPORT } else { usual };
            expect(shape, "socket", &[family, 1, protocol as u64], expected);
        }
        for protocol in [libc::IPPROTO_TCP, libc::IPPROTO_UDP, libc::IPPROTO_UDPLITE] {
            expect(shape, "socket", &[family, 1, protocol as u64], usual);
        }
    }
}

#[test]
fn a_judged_program_has_no_sockets_but_survives_asking() {
    for sockets in [Sockets::UnixOnly, Sockets::Inet] {
        expect((Profile::Strict, sockets), "socket", &[1, 1], EAFNOSUPPORT);
        expect((Profile::Strict, sockets), "socketpair", &[1, 1], EAFNOSUPPORT);
    }
    strict("getpeername", &[0], Errno(libc::ENOTSOCK as u16));
}

#[test]
fn set_id_files_cannot_be_made() {
    let create = (libc::O_CREAT | libc::O_WRONLY) as u64;
    let unnamed = (libc::O_TMPFILE | libc::O_WRONLY) as u64;
    for bits in [0o4755, 0o2755, 0o6000, 0o10_4755] {
        both("chmod", &[0, bits], EPERM);
        both("fchmod", &[0, bits], EPERM);
        both("fchmodat", &[0, 0, bits], EPERM);
        both("fchmodat2", &[0, 0, bits], EPERM);
        both("creat", &[0, bits], EPERM);
        for flags in [create, unnamed] {
            both("open", &[0, flags, bits], EPERM);
            both("openat", &[0, 0, flags, bits], EPERM);
        }
        default("mknod", &[0, bits], EPERM);
        default("mknodat", &[0, 0, bits], EPERM);
    }
}

#[test]
fn ordinary_modes_are_left_alone() {
    for mode in [0, 0o644, 0o777, 0o1777] {
        both("chmod", &[0, mode], Allow);
        both("openat", &[0, 0, libc::O_CREAT as u64, mode], Allow);
    }
    // Without a creating flag the mode is whatever the register held.
    both("openat", &[0, 0, libc::O_RDONLY as u64, 0o7777], Allow);
    both("open", &[0, libc::O_DIRECTORY as u64, 0o7777], Allow);
}

#[test]
fn device_nodes_are_refused_and_fifos_are_not() {
    for device in [libc::S_IFCHR, libc::S_IFBLK] {
        default("mknod", &[0, u64::from(device) | 0o600], EPERM);
        default("mknodat", &[0, 0, u64::from(device) | 0o600], EPERM);
    }
    for kind in [0, libc::S_IFREG, libc::S_IFIFO, libc::S_IFSOCK] {
        default("mknod", &[0, u64::from(kind) | 0o600], Allow);
        default("mknodat", &[0, 0, u64::from(kind) | 0o600], Allow);
    }
}

#[test]
fn limits_of_other_processes_are_out_of_reach() {
    both("prlimit64", &[0], Allow);
    both("prlimit64", &[1], EPERM);
    both("prlimit64", &[0xffff_ffff], EPERM);
}

#[test]
fn a_crash_cannot_be_made_to_start_the_hosts_handler() {
    let core = u64::from(libc::RLIMIT_CORE);
    let done = Errno(0);
    both("setrlimit", &[core], done);
    both("setrlimit", &[u64::from(libc::RLIMIT_NOFILE)], Allow);
    for (profile, sockets) in SHAPES {
        for arch in ARCHES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            let number = number(arch, "prlimit64").expect("both architectures have it");
            let set =
                |pointer| run(&program, &call(arch, number, [0, core, pointer, 0, 0, 0])).value;
            assert_eq!(set(0), Allow.code());
            // A pointer whose low half is zero is a pointer too.
            assert_eq!([set(0x7fff_1000), set(0x1_0000_0000)], [done.code(); 2]);
        }
    }
}

#[test]
fn shared_files_can_neither_be_leased_nor_watched() {
    both("fcntl", &[3, libc::F_SETLEASE as u64], EPERM);
    both("fcntl", &[3, libc::F_NOTIFY as u64], EPERM);
    both("fcntl", &[3, libc::F_SETLK as u64], Allow);
    for name in ["inotify_init1", "inotify_add_watch"] {
        both(name, &[], ENOSYS);
    }
}

#[test]
fn memory_that_no_process_holds_is_refused_where_only_processes_are_looked_at() {
    for (profile, sockets) in SHAPES {
        for arch in ARCHES {
            let mut rules = Rules::new(profile, sockets);
            rules.refuse_hidden_memory();
            let program = filter_for(arch, &rules);
            for name in ["memfd_create", "shmget"] {
                let number = number(arch, name).expect("both architectures have it");
                assert_eq!(run(&program, &call(arch, number, [0; 6])).value, ENOSYS.code());
            }
        }
    }
}

#[test]
fn personality_cannot_weaken_address_space_protection() {
    for persona in [0, 0x8, 0x2_0000, 0x2_0008, 0xffff_ffff] {
        default("personality", &[persona], Allow);
    }
    for persona in [libc::ADDR_NO_RANDOMIZE, libc::READ_IMPLIES_EXEC, libc::ADDR_COMPAT_LAYOUT] {
        default("personality", &[persona as u64], EPERM);
    }
}

#[test]
fn programs_may_tighten_their_own_sandbox() {
    both("prctl", &[libc::PR_SET_SECCOMP as u64], Allow);
    both("prctl", &[libc::PR_SET_MM as u64], EPERM);
    for name in ["seccomp", "landlock_create_ruleset", "landlock_restrict_self"] {
        default(name, &[], Allow);
    }
}

#[test]
fn foreign_architectures_die() {
    const I386: u32 = 0x4000_0003;
    const ARM: u32 = 0x4000_0028;
    for (profile, sockets) in SHAPES {
        for arch in ARCHES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            for other in [I386, ARM, 0, u32::MAX, arch.audit ^ 0x8000_0000] {
                let foreign = Call { arch: other, ..call(arch, 1, [0; 6]) };
                assert_eq!(run(&program, &foreign).value, KillProcess.code());
            }
        }
    }
}

#[test]
fn x32_numbers_and_calls_of_future_kernels_look_absent() {
    for (profile, sockets) in SHAPES {
        for arch in ARCHES {
            let program = filter_for(arch, &Rules::new(profile, sockets));
            for number in
                (0..1024).map(|n| n | 0x4000_0000).chain([newest(arch) + 1, 512, u32::MAX])
            {
                let outcome = run(&program, &call(arch, number, [0; 6]));
                assert_eq!(outcome.value, ENOSYS.code(), "{number:#x}");
            }
        }
    }
}

#[test]
fn bytes_are_an_array_of_sock_filter() {
    let program = [Instruction { code: 0x15, jt: 1, jf: 2, k: 0xc000_003e }];
    let bytes = to_bytes(&program);
    assert_eq!(bytes[..2], 0x15_u16.to_ne_bytes());
    assert_eq!(bytes[2..4], [1, 2]);
    assert_eq!(bytes[4..], 0xc000_003e_u32.to_ne_bytes());
    assert_eq!(to_bytes(&filter(Profile::Default, Sockets::Inet, true)).len() % 8, 0);
}

#[test]
fn the_mechanism_names_the_profile() {
    assert_eq!(describe(Profile::Default), "seccomp-bpf default profile");
    assert_eq!(describe(Profile::Strict), "seccomp-bpf strict profile");
}
