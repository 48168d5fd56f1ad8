//! Strategies for property tests: any valid policy, any shape of host.

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;
use std::time::Duration;

use proptest::collection::{btree_map, btree_set, vec};
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;

use crate::{
    Ability, Access, Base, Bytes, Control, Cpus, Filesystem, Limit, Limits, MAX_WARM, Mount,
    Network, NetworkMode, OutputOverflow, Policy, Process, Support, SyscallProfile, Syscalls,
};

/// How often a property is tried, unless `PROPTEST_CASES` says otherwise. No file is written: it
/// would lie in the source tree.
pub(crate) fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(number) }
}

/// Any control.
pub(crate) fn control() -> impl Strategy<Value = Control> {
    select(&Control::ALL[..])
}

/// Any policy that [`Policy::validate`] accepts and TOML can hold.
pub(crate) fn policy() -> impl Strategy<Value = Policy> {
    let warm = 0..=MAX_WARM;
    (best_effort(), warm, limits(), filesystem(), process(), network(), profile()).prop_map(
        |(best_effort, warm, mut limits, filesystem, process, mode, profile)| {
            let own_sizes = filesystem.mounts.iter().any(|m| matches!(m, Mount::Tmpfs { .. }));
            if own_sizes {
                limits.disk = Limit::Unlimited;
            }
            let (network, syscalls) = (Network { mode }, Syscalls { profile });
            Policy { best_effort, warm, limits, filesystem, network, process, syscalls }
        },
    )
}

/// A host that answers anything for each control.
pub(crate) fn support() -> impl Strategy<Value = Support> {
    vec(ability(), Control::ALL.len()).prop_map(|abilities| {
        let controls = Control::ALL.into_iter().zip(abilities).collect();
        Support { backend: "generated".to_owned(), backend_reason: None, controls }
    })
}

fn best_effort() -> impl Strategy<Value = BTreeSet<Control>> {
    btree_set(control(), 0..Control::ALL.len())
}

fn ability() -> impl Strategy<Value = Ability> {
    let word = || "[a-z]{1,8}";
    prop_oneof![
        word().prop_map(Ability::enforced),
        (word(), word(), option::of(word())).prop_map(|(how, why, fix)| Ability::approximated(
            how,
            why,
            fix.as_deref()
        )),
        (word(), option::of(word()))
            .prop_map(|(why, fix)| Ability::unavailable(why, fix.as_deref())),
    ]
}

fn limit<T: std::fmt::Debug + Clone>(
    value: impl Strategy<Value = T>,
) -> impl Strategy<Value = Limit<T>> {
    option::weighted(0.8, value).prop_map(|value| value.map_or(Limit::Unlimited, Limit::At))
}

fn bytes(least: u64) -> impl Strategy<Value = Limit<Bytes>> {
    let round = (0..34_u32).prop_map(move |shift| Bytes(least << (shift % 12)));
    limit(prop_oneof![round, (least..=u64::MAX).prop_map(Bytes)])
}

fn time() -> impl Strategy<Value = Limit<Duration>> {
    let nanoseconds = (1_000_000..=i64::MAX as u64).prop_map(Duration::from_nanos);
    limit(prop_oneof![(1..100_000_u64).prop_map(Duration::from_millis), nanoseconds])
}

fn limits() -> impl Strategy<Value = Limits> {
    let amounts = (bytes(1 << 20), bytes(1), bytes(64 << 10), bytes(0));
    let times = (time(), time(), option::of((10..=4_096_000_u32).prop_map(Cpus::from_milli)));
    let counts = (limit(1..=u64::MAX), limit(8..=u64::MAX), option::of(1..=i64::MAX as u64));
    let overflow = select(&[OutputOverflow::Stop, OutputOverflow::Truncate][..]);
    (amounts, times, counts, overflow).prop_map(|(amounts, times, counts, output_overflow)| {
        let (memory, file_size, disk, output) = amounts;
        let (cpu_time, wall_time, cpus) = times;
        let (processes, open_files, fuel) = counts;
        Limits {
            memory,
            cpu_time,
            wall_time,
            cpus,
            processes,
            open_files,
            file_size,
            disk,
            output,
            output_overflow,
            fuel,
        }
    })
}

/// A path of the host; file names need not be UTF-8.
fn host_path() -> impl Strategy<Value = PathBuf> {
    vec(1..=u8::MAX, 1..12).prop_map(|bytes| OsString::from_vec(bytes).into())
}

fn filesystem() -> impl Strategy<Value = Filesystem> {
    let base = prop_oneof![
        Just(Base::System),
        Just(Base::Empty),
        host_path().prop_map(Base::Rootfs),
        host_path().prop_map(Base::WritableRootfs),
    ];
    let access = || select(&[Access::Ro, Access::Rw][..]);
    let mount = prop_oneof![
        (host_path(), access()).prop_map(|(source, access)| Mount::Bind {
            source,
            target: String::new(),
            access
        }),
        option::of((4096..=u64::MAX).prop_map(Bytes)).prop_map(|size| Mount::tmpfs("", size)),
        vec(any::<u8>(), 0..16).prop_map(|contents| Mount::file("", contents)),
    ];
    let target = "/[a-z\u{e0}-\u{ff}\"' ]{1,6}(/[a-z.]{3,6}x){0,2}";
    let mounts: BoxedStrategy<BTreeMap<String, Mount>> = btree_map(target, mount, 0..5).boxed();
    (base, mounts).prop_map(|(base, mounts)| {
        let taken = ["/dev", "/proc"];
        let mounts = mounts
            .into_iter()
            .filter(|(target, _)| !taken.iter().any(|taken| target.starts_with(taken)))
            .map(|(at, mut mount)| {
                match &mut mount {
                    Mount::Bind { target, .. }
                    | Mount::Tmpfs { target, .. }
                    | Mount::File { target, .. } => *target = at,
                }
                mount
            });
        Filesystem { base, mounts: mounts.collect() }
    })
}

fn process() -> impl Strategy<Value = Process> {
    let env = btree_map("[^=\0]{1,8}", "[^\0]{0,12}", 0..4);
    ("(/[a-z]{1,5}){1,3}", "[a-zA-Z0-9._-]{1,64}", env).prop_map(|(cwd, hostname, env)| Process {
        cwd,
        hostname,
        env,
    })
}

fn network() -> impl Strategy<Value = NetworkMode> {
    select(&[NetworkMode::None, NetworkMode::Loopback, NetworkMode::Host][..])
}

fn profile() -> impl Strategy<Value = SyscallProfile> {
    select(&[SyscallProfile::Default, SyscallProfile::Strict][..])
}
