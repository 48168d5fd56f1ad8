//! Results of any kind, with text that would be markup and numbers that no clock gives.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::{Footprint, Growth, Host, Mode, Overhead, PhaseTime, Point, Results, Series, Target};

fn words() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => "[a-c]",
        1 => Just("<evil onload=\"1\">&amp;'</evil>".to_owned()),
        1 => Just("\"><evil>]]>--><!--</style></title></svg>".to_owned()),
        1 => Just("w".repeat(3000)),
        2 => any::<String>(),
    ]
}

fn number() -> impl Strategy<Value = u64> {
    prop_oneof![Just(0), Just(1), Just(u64::MAX), any::<u64>(), 1..10_000_000_u64]
}

fn real() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), Just(f64::NAN), Just(f64::INFINITY), Just(0.0), 0.0..1e5]
}

fn mode() -> impl Strategy<Value = Mode> {
    let family = prop_oneof![
        Just("plain".to_owned()),
        Just("namespace".to_owned()),
        Just("wasm".to_owned()),
        words()
    ];
    let start = prop_oneof![Just("cold".to_owned()), Just("warm".to_owned()), words()];
    let phase = (words(), number()).prop_map(|(name, p50_ns)| PhaseTime { name, p50_ns });
    let names = (words(), words(), family, start, option::of(words()), vec(words(), 0..4));
    let troubles = (option::of(words()), option::of(words()), any::<usize>(), option::of(words()));
    let times = (vec(number(), 0..8), vec(number(), 0..8), vec(phase, 0..10), any::<usize>());
    (names, troubles, times).prop_map(|(names, troubles, times)| {
        let (id, name, family, start, version, walls) = names;
        let (note, skipped, failures, failure) = troubles;
        let (wall_ns, cpu_ns, phases, runs) = times;
        Mode {
            id,
            name,
            family,
            start,
            version,
            walls,
            note,
            skipped,
            runs,
            failures,
            failure,
            wall_ns,
            cpu_ns,
            phases,
        }
    })
}

fn series() -> impl Strategy<Value = Vec<Series>> {
    let point = (number(), number(), number(), option::of(real()))
        .prop_map(|(x, p50_ns, p99_ns, per_second)| Point { x, p50_ns, p99_ns, per_second });
    let series = (words(), words(), vec(point, 0..5)).prop_map(|(mode, x, points)| Series {
        mode,
        x,
        points,
    });
    vec(series, 0..30)
}

fn growth() -> impl Strategy<Value = Growth> {
    let helper = (option::of(number()), option::of(number()));
    (number(), number(), number(), helper).prop_map(
        |(runs, host_bytes, host_files, (helper_bytes, helper_files))| Growth {
            runs,
            host_bytes,
            host_files,
            helper_bytes,
            helper_files,
        },
    )
}

fn host() -> impl Strategy<Value = Host> {
    (words(), any::<usize>(), number(), words(), words(), real(), real()).prop_map(
        |(kernel, cpus, memory_bytes, cgroup, user, load_before, load_after)| Host {
            kernel,
            cpus,
            memory_bytes,
            cgroup,
            user,
            load_before,
            load_after,
        },
    )
}

fn target() -> impl Strategy<Value = Target> {
    let names = (words(), words(), words(), words(), option::of(words()));
    (names, option::of(real()), any::<Option<bool>>()).prop_map(
        |((id, what, target, unit, note), measured, met)| Target {
            id,
            what,
            target,
            measured,
            unit,
            met,
            note,
        },
    )
}

pub(super) fn results() -> impl Strategy<Value = Results> {
    let footprint =
        (words(), number(), words()).prop_map(|(mode, bytes, how)| Footprint { mode, bytes, how });
    let overhead =
        (words(), words(), number(), number()).prop_map(|(workload, mode, bare_ns, inside_ns)| {
            Overhead { workload, mode, bare_ns, inside_ns }
        });
    let head = (words(), words(), words(), any::<bool>(), host());
    let lines = (vec(mode(), 0..12), series(), series(), series(), series());
    let rest =
        (vec(growth(), 0..5), vec(footprint, 0..5), vec(overhead, 0..5), vec(target(), 0..5));
    (head, lines, rest).prop_map(|(head, lines, rest)| {
        let (version, date, command, quick, host) = head;
        let (modes, host_size, concurrency, live, endurance) = lines;
        let (growth, footprint, overhead, targets) = rest;
        Results {
            schema: 1,
            version,
            date,
            command,
            quick,
            host,
            modes,
            host_size,
            concurrency,
            live,
            endurance,
            growth,
            footprint,
            overhead,
            targets,
        }
    })
}
