//! What the project aims at, held against what was measured.

use crate::extra::Extra;
use crate::{Results, Series, Target, percentile};

const GIB: u64 = 1 << 30;
const KIB: f64 = 1024.0;

/// Where a measured number has to be.
#[derive(Debug, Clone, Copy)]
enum Aim {
    AtMost(f64),
    AtLeast(f64),
}

impl Aim {
    fn is_met(self, measured: f64) -> bool {
        match self {
            Self::AtMost(most) => measured <= most,
            Self::AtLeast(least) => measured >= least,
        }
    }

    fn words(self, unit: &str) -> String {
        match self {
            Self::AtMost(most) => format!("≤ {most} {unit}"),
            Self::AtLeast(least) => format!("≥ {least} {unit}"),
        }
    }
}

/// One entry; a number that is not there has a reason.
fn target(id: &str, what: &str, aim: Aim, unit: &str, measured: Result<f64, String>) -> Target {
    let (measured, note) = match measured {
        Ok(measured) => (Some(measured), None),
        Err(reason) => (None, Some(reason)),
    };
    Target {
        id: id.to_owned(),
        what: what.to_owned(),
        target: aim.words(unit),
        measured,
        unit: unit.to_owned(),
        met: measured.map(|measured| aim.is_met(measured)),
        note,
    }
}

/// All of them, as far as they are this benchmark's.
pub(crate) fn targets(results: &Results, extra: &Extra) -> Vec<Target> {
    let mut all = starts(results);
    all.extend(many(results));
    all.extend(long(results));
    all.extend(alive(results));
    let stopped = extra.stopped_ns.clone().and_then(|samples| {
        let p99 = percentile(&samples, 99).ok_or("no sample")?;
        Ok(p99 as f64 / 1e6)
    });
    all.push(target("P10", "limit hit to nothing alive, p99", Aim::AtMost(20.0), "ms", stopped));
    let calls = extra.calls.clone();
    all.push(target("P11", "system calls of the host for a start", Aim::AtMost(10.0), "", calls));
    all.sort_by_key(|target| target.id[1..].parse().unwrap_or(u32::MAX));
    all
}

/// How many times longer one mode takes than another.
fn ratio(results: &Results, mode: &str, other: &str) -> Result<f64, String> {
    let p50 = |id: &str| {
        let p50 = results.mode(id).and_then(|mode| mode.p50());
        p50.ok_or_else(|| format!("{id} was not measured"))
    };
    Ok(p50(mode)? as f64 / p50(other)? as f64)
}

fn starts(results: &Results) -> Vec<Target> {
    let spread = results
        .mode("namespace_cold")
        .and_then(|mode| Some(mode.p99()? as f64 / mode.p50()? as f64));
    let spread = spread.ok_or_else(|| "namespace_cold was not measured".to_owned());
    let cold = ratio(results, "namespace_cold", "plain");
    let tool = ratio(results, "namespace_cold", "bubblewrap");
    let warm = ratio(results, "namespace_warm", "plain");
    let module = ratio(results, "wasm_prepared", "wasmtime_pooling");
    vec![
        target("P1", "cold start, of a plain process", Aim::AtMost(2.0), "x", cold),
        target("P1", "cold start, of bubblewrap", Aim::AtMost(0.25), "x", tool),
        target("P1", "cold start, p99 of its p50", Aim::AtMost(3.0), "x", spread),
        target("P2", "start of one that waits, of a plain process", Aim::AtMost(1.3), "x", warm),
        target(
            "P3",
            "cold start, host of 4 GiB and 64 threads",
            Aim::AtMost(1.15),
            "x",
            large(results),
        ),
        target("P5", "module, of wasmtime pooling", Aim::AtMost(1.5), "x", module),
    ]
}

fn large(results: &Results) -> Result<f64, String> {
    let points = points(&results.host_size, "namespace_cold");
    let at = |x| points.iter().find(|point| point.x == x).map(|point| point.p50_ns as f64);
    match (at(0), at(4 * GIB)) {
        (Some(small), Some(large)) => Ok(large / small),
        _ if results.quick => Err("left out to be quick".to_owned()),
        _ => Err("there was not that much memory to be had".to_owned()),
    }
}

fn points<'a>(all: &'a [Series], mode: &str) -> &'a [crate::Point] {
    all.iter().find(|series| series.mode == mode).map_or(&[], |series| &series.points)
}

fn many(results: &Results) -> Vec<Target> {
    let best = |mode: &str| {
        let rates = points(&results.concurrency, mode).iter().filter_map(|point| point.per_second);
        rates.max_by(f64::total_cmp).ok_or_else(|| format!("{mode} was not measured"))
    };
    let cpus = results.host.cpus;
    let (cold, warm) = (best("namespace_cold"), best("namespace_warm"));
    let mut all = [
        target("P4", "cold starts, all threads", Aim::AtLeast(1500.0), "a second", cold),
        target("P4", "prepared, some waiting, all threads", Aim::AtLeast(2500.0), "a second", warm),
    ];
    for target in all.iter_mut().filter(|_| cpus != 2) {
        target
            .note
            .get_or_insert_with(|| format!("the target is for 2 processors; here are {cpus}"));
    }
    all.into()
}

fn long(results: &Results) -> Vec<Target> {
    let of = |mode: &'static str| results.overhead.iter().filter(move |entry| entry.mode == mode);
    let mut all: Vec<Target> = of("namespace_prepared")
        .map(|entry| {
            let most = if entry.workload == "arithmetic" { 1.01 } else { 1.1 };
            let what = format!("long run, {}", entry.workload);
            let measured = entry.ratio().ok_or_else(|| "no sample".to_owned());
            target("P7", &what, Aim::AtMost(most), "x", measured)
        })
        .collect();
    if all.is_empty() {
        let missing = Err("not measured".to_owned());
        all.push(target("P7", "long run", Aim::AtMost(1.1), "x", missing));
    }
    let worst = of("wasm_prepared").filter_map(|entry| entry.ratio()).max_by(f64::total_cmp);
    let worst = worst.ok_or_else(|| "not measured".to_owned());
    all.push(target(
        "P8",
        "module's long run, of wasmtime without epochs, the worst",
        Aim::AtMost(1.1),
        "x",
        worst,
    ));
    all
}

/// One backend's part of P9: a mode, how many are to be alive, and what each may hold in KiB.
const ALIVE: [(&str, &str, f64, f64); 2] = [
    ("namespace_cold", "namespace_prepared", 1000.0, 300.0),
    ("wasm_prepared", "wasm_prepared", 10_000.0, 100.0),
];

fn alive(results: &Results) -> Vec<Target> {
    let mut all = Vec::new();
    for (next, held, count, kib) in ALIVE {
        let points = points(&results.live, next);
        let missing = || format!("{next} was not measured");
        let last = points.last().ok_or_else(missing);
        let reached = last.clone().map(|point| point.x as f64);
        let bytes = results.footprint.iter().find(|entry| entry.mode == held);
        let unread =
            || format!("{held} was not measured, or its memory cannot be read by this user");
        let bytes = bytes.map(|entry| entry.bytes as f64 / KIB).ok_or_else(unread);
        // Against few alive, in the same place and by the same rounds.
        let slower = points
            .first()
            .ok_or_else(missing)
            .and_then(|first| Ok(last?.p50_ns as f64 / first.p50_ns as f64));
        let name = next.split('_').next().unwrap_or(next);
        let mut reached =
            target("P9", &format!("{name}: alive at once"), Aim::AtLeast(count), "", reached);
        if results.quick {
            // It was not tried.
            reached.met = None;
            reached.note = Some("fewer are tried to be quick".to_owned());
        }
        all.push(reached);
        all.push(target("P9", &format!("{name}: held by each"), Aim::AtMost(kib), "KiB", bytes));
        let what = format!("{name}: next start beside them, of one beside one");
        all.push(target("P9", &what, Aim::AtMost(1.5), "x", slower));
    }
    all
}

#[cfg(test)]
mod tests;
