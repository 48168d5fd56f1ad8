//! Why there are no namespaces here, and what would help.

use std::fs;
use std::io;

use stockade_core::{Error, ErrorKind};
use stockade_warden::wire::request::Settle;

use crate::warden::LinkError;

const CAP_SETFCAP: u64 = 1 << 31;

/// What the kernel's files say about this process and its namespaces.
#[derive(Debug, Default)]
struct Scene {
    /// `kernel.apparmor_restrict_unprivileged_userns` is on.
    apparmor: bool,
    /// `kernel.unprivileged_userns_clone` is off.
    userns_clone_off: bool,
    /// `user.max_user_namespaces`
    max: Option<u64>,
    /// A seccomp filter is installed.
    filtered: bool,
    /// The root directory is not that of the mount namespace.
    chrooted: bool,
    /// The id of this process is one of its user namespace.
    mapped: bool,
    /// Root without the right to give its id to a namespace, `CAP_SETFCAP`.
    weak_root: bool,
    /// Path of the program.
    program: String,
}

/// The public error for a helper that failed at `step` of settling in.
pub(super) fn refusal(step: u64, source: io::Error) -> Error {
    let hint = advice(step, &source, &Scene::look());
    Error::new(ErrorKind::Unsupported, LinkError::Settle { step, source }).with_hint(hint)
}

impl Scene {
    fn look() -> Self {
        let text = |path: &str| fs::read_to_string(path).unwrap_or_default();
        let number = |path: &str| text(path).trim().parse::<u64>().ok();
        let status = text("/proc/self/status");
        let on_root = |line: &str| line.split(' ').nth(4) == Some("/");
        let effective = status.lines().find_map(|line| line.strip_prefix("CapEff:"));
        let effective = effective.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
        let euid = rustix::process::geteuid();
        let program = std::env::current_exe().unwrap_or_default();
        Self {
            apparmor: number("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")
                .is_some_and(|value| value != 0),
            userns_clone_off: number("/proc/sys/kernel/unprivileged_userns_clone") == Some(0),
            max: number("/proc/sys/user/max_user_namespaces"),
            filtered: status.lines().any(|line| line == "Seccomp:\t2"),
            chrooted: !text("/proc/self/mountinfo").lines().any(on_root),
            mapped: holds(&text("/proc/self/uid_map"), euid.as_raw()),
            weak_root: euid.is_root() && effective.unwrap_or(0) & CAP_SETFCAP == 0,
            program: program.to_string_lossy().into_owned(),
        }
    }
}

/// Whether the text of a `uid_map` has `id` among its inner ids.
fn holds(map: &str, id: u32) -> bool {
    map.lines().any(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (Some(Ok(first)), _, Some(Ok(count))) = (fields.next(), fields.next(), fields.next())
        else {
            return false;
        };
        (first..first.saturating_add(count)).contains(&id.into())
    })
}

/// What helps. Commands stand in backticks.
fn advice(step: u64, source: &io::Error, scene: &Scene) -> String {
    if step == Settle::Proc as u64 || source.kind() == io::ErrorKind::NotFound {
        return "the helper works through /proc: `mount -t proc proc /proc`".to_owned();
    }
    match source.raw_os_error() {
        // unshare(2): the count is of each user namespace up to the first one.
        Some(libc::ENOSPC) if scene.max == Some(0) => {
            "user namespaces are switched off: `sysctl -w user.max_user_namespaces=15000`"
                .to_owned()
        }
        Some(libc::ENOSPC) => "the limit on namespaces is reached, here or in a namespace around \
             this one; where it was set: `sysctl -w user.max_user_namespaces=15000`"
            .to_owned(),
        Some(libc::EUSERS) => "user namespaces nest at most 32 deep: run it further out".to_owned(),
        Some(libc::EINVAL | libc::ENOSYS) => {
            "this kernel was built without namespaces: it needs CONFIG_USER_NS=y, CONFIG_PID_NS=y, \
             CONFIG_NET_NS=y, CONFIG_IPC_NS=y and CONFIG_UTS_NS=y"
                .to_owned()
        }
        // user_namespaces(7): since Linux 5.12, root needs it to map its own id.
        _ if step == Settle::IdMaps as u64 && scene.weak_root => {
            "root without CAP_SETFCAP may not give its id to a namespace; be another user: \
             `docker run --user 1000`; or keep that capability: `docker run --cap-add SETFCAP`"
                .to_owned()
        }
        _ => denied(scene),
    }
}

fn denied(scene: &Scene) -> String {
    if scene.userns_clone_off {
        return "user namespaces are switched off for ordinary users: \
                `sysctl -w kernel.unprivileged_userns_clone=1`"
            .to_owned();
    }
    if scene.apparmor {
        return format!(
            "AppArmor lets no ordinary user have user namespaces; allow this program, as root: \
             `echo 'abi <abi/4.0>, profile stockade {} flags=(unconfined) {{ userns, }}' \
             > /etc/apparmor.d/stockade && apparmor_parser -r /etc/apparmor.d/stockade`, \
             or every program: `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`",
            scene.program
        );
    }
    if scene.filtered {
        return "a seccomp filter refuses namespaces, as container engines do by default; start the \
                container with `docker run --security-opt seccomp=unconfined --security-opt \
                apparmor=unconfined --security-opt systempaths=unconfined` or `podman run \
                --security-opt seccomp=unconfined --security-opt unmask=ALL`, or with a filter that \
                allows clone, unshare, setns, mount, umount2, pivot_root and sethostname; or run \
                WebAssembly, which needs none of it"
            .to_owned();
    }
    if scene.chrooted {
        return "the kernel gives no user namespace to a process in a chroot: enter the directory \
                by pivot_root, as `unshare --mount` and container engines do"
            .to_owned();
    }
    if !scene.mapped {
        return "the user id of this process has no mapping in its user namespace: make that one \
                with `unshare --user --map-current-user`"
            .to_owned();
    }
    "a security module of the kernel refuses namespaces to this process; `dmesg` says which"
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(errno: i32, scene: Scene) -> String {
        advice(Settle::UserNamespace as u64, &io::Error::from_raw_os_error(errno), &scene)
    }

    #[test]
    fn the_advice_is_about_what_refuses() {
        let mapped = || Scene { mapped: true, ..Scene::default() };
        let denied = |scene| refused(libc::EPERM, scene);
        let apparmor =
            denied(Scene { apparmor: true, program: "/usr/bin/host".into(), ..mapped() });
        assert!(apparmor.contains("profile stockade /usr/bin/host flags"), "{apparmor}");
        assert!(apparmor.contains("{ userns, }"), "{apparmor}");
        let off = denied(Scene { userns_clone_off: true, filtered: true, ..mapped() });
        assert!(off.contains("kernel.unprivileged_userns_clone=1"), "{off}");
        assert!(denied(Scene { filtered: true, ..mapped() }).contains("docker run --security-opt"));
        assert!(denied(Scene { chrooted: true, ..mapped() }).contains("chroot"));
        assert!(denied(Scene::default()).contains("--map-current-user"));
        assert!(denied(mapped()).contains("dmesg"));
    }

    #[test]
    fn a_count_that_is_used_up_is_told_from_a_denial() {
        let none = refused(libc::ENOSPC, Scene { max: Some(0), ..Scene::default() });
        assert!(none.contains("switched off"), "{none}");
        let full =
            refused(libc::ENOSPC, Scene { max: Some(9), filtered: true, ..Scene::default() });
        assert!(full.contains("limit on namespaces is reached"), "{full}");
        assert!(refused(libc::EINVAL, Scene::default()).contains("CONFIG_USER_NS=y"));
    }

    #[test]
    fn root_without_capabilities_is_told_to_be_someone_else() {
        let weak = || Scene { mapped: true, weak_root: true, filtered: true, ..Scene::default() };
        let denied = io::Error::from_raw_os_error(libc::EPERM);
        let at_maps = advice(Settle::IdMaps as u64, &denied, &weak());
        assert!(at_maps.contains("CAP_SETFCAP"), "{at_maps}");
        assert!(refused(libc::EPERM, weak()).contains("seccomp"));
    }

    #[test]
    fn an_id_is_mapped_if_a_line_of_the_map_holds_it() {
        assert!(holds("0 1000 1\n1 100000 65536\n", 65_536));
        assert!(!holds("0 1000 1\n1 100000 65536\n", 65_537));
        assert!(!holds("", 0));
    }
}
