//! Landlock as a second wall: what the mounts allow is said once more, by another part of the
//! kernel (landlock(7)).

use stockade_core::NetworkMode;
use stockade_warden::wire::plan::{Number, Section};
use stockade_warden::{PlanWriter, Writer};

use crate::rootfs::{Layout, Object};

const EXECUTE: u64 = 1 << 0;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const MAKE_CHAR: u64 = 1 << 6;
const MAKE_BLOCK: u64 = 1 << 11;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// What can be allowed on something that is not a directory.
const ON_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// Filesystem rights that an ABI knows.
const fn known_fs(abi: u64) -> u64 {
    let rights = match abi {
        0 => 0,
        1 => 13,
        2 => 14,
        3 | 4 => 15,
        _ => 16,
    };
    (1 << rights) - 1
}

/// TCP rights (bind, connect) that an ABI knows.
const fn known_net(abi: u64) -> u64 {
    if abi >= 4 { 0b11 } else { 0 }
}

/// Scopes (abstract Unix sockets, signals) that an ABI knows.
const fn known_scopes(abi: u64) -> u64 {
    if abi >= 6 { 0b11 } else { 0 }
}

/// Writes the ruleset of a layout into a plan. Without Landlock, nothing is written.
pub(crate) fn write(plan: &mut PlanWriter, abi: u64, layout: &Layout, network: NetworkMode) {
    let fs = known_fs(abi);
    let net = if network == NetworkMode::None { known_net(abi) } else { 0 };
    plan.number(Number::LandlockFs, fs);
    plan.number(Number::LandlockNet, net);
    plan.number(Number::LandlockScopes, known_scopes(abi));
    let mut rules = Writer::new();
    rules.c_str(b"/").u64((EXECUTE | READ_FILE | READ_DIR) & fs);
    rules.c_str(b"/dev").u64((READ_FILE | WRITE_FILE | TRUNCATE | IOCTL_DEV) & fs);
    let shared_memory = "/dev/shm".to_owned();
    for path in layout.writable.iter().chain([&shared_memory]) {
        let file = matches!(layout.view.resolve(path.as_ref()), Ok(Object::HostFile(_)));
        let rights = if file { ON_FILES } else { !(MAKE_CHAR | MAKE_BLOCK) };
        rules.c_str(path.as_bytes()).u64(rights & fs);
    }
    plan.section(Section::Rules, rules.finish());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_abi_is_asked_only_for_what_it_knows() {
        let bits = [0, 13, 14, 15, 15, 16, 16, 16];
        for (abi, bits) in bits.into_iter().enumerate() {
            assert_eq!(known_fs(abi as u64).count_ones(), bits, "ABI {abi}");
        }
        assert_eq!((known_net(3), known_net(4)), (0, 0b11));
        assert_eq!((known_scopes(5), known_scopes(6)), (0, 0b11));
    }
}
