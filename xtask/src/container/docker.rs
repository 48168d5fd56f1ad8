//! A system call filter that refuses what Docker's default profile refuses to a container without
//! capabilities.

/// Calls answered with `EPERM`.
const REFUSED: [libc::c_long; 47] = [
    libc::SYS_acct,
    libc::SYS_add_key,
    libc::SYS_bpf,
    libc::SYS_chroot,
    libc::SYS_clock_settime,
    libc::SYS_delete_module,
    libc::SYS_fanotify_init,
    libc::SYS_finit_module,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fsopen,
    libc::SYS_fspick,
    libc::SYS_init_module,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_io_uring_setup,
    libc::SYS_kcmp,
    libc::SYS_kexec_file_load,
    libc::SYS_kexec_load,
    libc::SYS_keyctl,
    libc::SYS_mount,
    libc::SYS_mount_setattr,
    libc::SYS_move_mount,
    libc::SYS_move_pages,
    libc::SYS_open_by_handle_at,
    libc::SYS_open_tree,
    libc::SYS_perf_event_open,
    libc::SYS_pidfd_getfd,
    libc::SYS_pivot_root,
    libc::SYS_quotactl,
    libc::SYS_quotactl_fd,
    libc::SYS_reboot,
    libc::SYS_request_key,
    libc::SYS_setdomainname,
    libc::SYS_sethostname,
    libc::SYS_setns,
    libc::SYS_settimeofday,
    libc::SYS_swapoff,
    libc::SYS_swapon,
    libc::SYS_syslog,
    libc::SYS_umount2,
    libc::SYS_unshare,
    libc::SYS_userfaultfd,
    libc::SYS_vhangup,
    libc::SYS_vmsplice,
    libc::SYS_mbind,
    libc::SYS_set_mempolicy,
];

/// Flags of `clone(2)` that make namespaces.
const NEW_NAMESPACES: u32 = (libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET) as u32;

#[cfg(target_arch = "x86_64")]
const AUDIT_ARCH: u32 = 0xc000_003e;
#[cfg(target_arch = "aarch64")]
const AUDIT_ARCH: u32 = 0xc000_00b7;

/// Where `seccomp_data` has the number, the architecture and the low half of the first argument.
const NUMBER: u32 = 0;
const ARCH: u32 = 4;
const ARGUMENT: u32 = 16;

const LOAD: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
const IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
const IF_ANY_BIT: u16 = (libc::BPF_JMP | libc::BPF_JSET | libc::BPF_K) as u16;
const RETURN: u16 = (libc::BPF_RET | libc::BPF_K) as u16;

const ALLOW: u32 = libc::SECCOMP_RET_ALLOW;

/// The program as bytes: an array of `sock_filter`.
pub(super) fn filter() -> Vec<u8> {
    let mut code = Vec::new();
    let errno = |errno: libc::c_int| libc::SECCOMP_RET_ERRNO | errno as u32;
    // Tables of other machines are simply refused; Docker looks at those of 32 bits as well.
    put(&mut code, LOAD, [0, 0], ARCH);
    put(&mut code, IF_EQUAL, [1, 0], AUDIT_ARCH);
    put(&mut code, RETURN, [0, 0], errno(libc::EPERM));
    put(&mut code, LOAD, [0, 0], NUMBER);
    for number in REFUSED {
        put(&mut code, IF_EQUAL, [0, 1], number as u32);
        put(&mut code, RETURN, [0, 0], errno(libc::EPERM));
    }
    // Its flags are in memory, where no filter looks; C libraries then use the older call.
    put(&mut code, IF_EQUAL, [0, 1], libc::SYS_clone3 as u32);
    put(&mut code, RETURN, [0, 0], errno(libc::ENOSYS));
    put(&mut code, IF_EQUAL, [0, 3], libc::SYS_clone as u32);
    put(&mut code, LOAD, [0, 0], ARGUMENT);
    put(&mut code, IF_ANY_BIT, [0, 1], NEW_NAMESPACES);
    put(&mut code, RETURN, [0, 0], errno(libc::EPERM));
    put(&mut code, RETURN, [0, 0], ALLOW);
    code
}

/// Appends one instruction.
fn put(code: &mut Vec<u8>, operation: u16, jumps: [u8; 2], value: u32) {
    code.extend(operation.to_ne_bytes());
    code.extend(jumps);
    code.extend(value.to_ne_bytes());
}
