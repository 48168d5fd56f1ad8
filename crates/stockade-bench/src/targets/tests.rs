use super::*;
use crate::{Footprint, Host, Mode, Overhead, Point};

fn mode(id: &str, wall_ns: &[u64]) -> Mode {
    Mode { id: id.to_owned(), wall_ns: wall_ns.to_vec(), ..Mode::default() }
}

fn series(mode: &str, points: &[(u64, u64, Option<f64>)]) -> Series {
    let points = points.iter().map(|&(x, p50_ns, per_second)| Point {
        x,
        p50_ns,
        p99_ns: p50_ns,
        per_second,
    });
    Series { mode: mode.to_owned(), x: String::new(), points: points.collect() }
}

fn empty() -> Results {
    Results {
        schema: 1,
        version: String::new(),
        date: String::new(),
        command: String::new(),
        quick: false,
        host: Host::default(),
        modes: Vec::new(),
        host_size: Vec::new(),
        concurrency: Vec::new(),
        live: Vec::new(),
        endurance: Vec::new(),
        growth: Vec::new(),
        footprint: Vec::new(),
        overhead: Vec::new(),
        targets: Vec::new(),
    }
}

fn measured() -> Results {
    Results {
        modes: vec![
            mode("plain", &[100, 100, 100]),
            mode("namespace_cold", &[200, 200, 700]),
            mode("namespace_warm", &[120]),
            mode("bubblewrap", &[1000]),
            mode("wasm_prepared", &[16]),
            mode("wasmtime_pooling", &[10]),
        ],
        host_size: vec![series("namespace_cold", &[(0, 100, None), (4 * GIB, 115, None)])],
        concurrency: vec![
            series("namespace_cold", &[(1, 9, Some(900.0)), (2, 9, Some(1600.0))]),
            series("namespace_warm", &[(2, 9, Some(2400.0))]),
        ],
        live: vec![series("namespace_cold", &[(1, 100, None), (1000, 151, None)])],
        footprint: vec![Footprint {
            mode: "namespace_prepared".to_owned(),
            bytes: 200 << 10,
            how: String::new(),
        }],
        overhead: vec![
            overhead("arithmetic", "namespace_prepared", 1005),
            overhead("calls", "namespace_prepared", 1200),
            overhead("sieve", "wasm_prepared", 1050),
            overhead("mix", "wasm_prepared", 1090),
        ],
        ..empty()
    }
}

fn overhead(workload: &str, mode: &str, inside_ns: u64) -> Overhead {
    let (workload, mode) = (workload.to_owned(), mode.to_owned());
    Overhead { workload, mode, bare_ns: 1000, inside_ns }
}

/// Number and answer of every entry of an id.
fn of(targets: &[Target], id: &str) -> Vec<(Option<f64>, Option<bool>)> {
    let such = targets.iter().filter(|target| target.id == id);
    such.map(|target| (target.measured, target.met)).collect()
}

fn got(measured: f64, met: bool) -> (Option<f64>, Option<bool>) {
    (Some(measured), Some(met))
}

#[test]
fn targets_are_ratios_of_what_was_measured_in_the_same_run() {
    let extra = Extra { stopped_ns: Ok(vec![1_000_000, 2_000_000]), calls: Ok(11.0) };
    let all = targets(&measured(), &extra);
    assert_eq!(of(&all, "P1"), [got(2.0, true), got(0.2, true), got(3.5, false)]);
    assert_eq!(of(&all, "P2"), [got(1.2, true)]);
    assert_eq!(of(&all, "P3"), [got(1.15, true)]);
    assert_eq!(of(&all, "P4"), [got(1600.0, true), got(2400.0, false)]);
    assert_eq!(of(&all, "P5"), [got(1.6, false)]);
    assert_eq!(of(&all, "P7"), [got(1.005, true), got(1.2, false)]);
    assert_eq!(of(&all, "P8"), [got(1.09, true)]);
    let alive = of(&all, "P9");
    assert_eq!(alive[..3], [got(1000.0, true), got(200.0, true), got(1.51, false)]);
    assert_eq!(of(&all, "P10"), [got(2.0, true)]);
    assert_eq!(of(&all, "P11"), [got(11.0, false)]);
}

#[test]
fn what_was_not_measured_is_neither_met_nor_missed_and_says_why() {
    let all = targets(&empty(), &Extra::default());
    for id in ["P1", "P2", "P3", "P4", "P5", "P7", "P8", "P9", "P10", "P11"] {
        assert!(all.iter().any(|target| target.id == id), "{id}");
    }
    for target in all {
        assert_eq!((target.measured, target.met), (None, None), "{target:?}");
        assert!(target.note.is_some(), "{target:?}");
    }
}

#[test]
fn how_many_are_alive_is_not_held_against_a_quick_run() {
    let all = targets(&Results { quick: true, ..measured() }, &Extra::default());
    assert_eq!(of(&all, "P9")[0], (Some(1000.0), None));
}
