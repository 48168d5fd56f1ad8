//! Results that nobody measured: made up, to look at the page and to test it. No figure in here says
//! anything about any program.

use crate::{Footprint, Growth, Host, Mode, Overhead, PhaseTime, Point, Results, Series, Target};

/// Numbers that look random, the same each time.
pub(super) struct Noise(u64);

impl Noise {
    fn next(&mut self) -> f64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// A time near `typical`, rarely much longer.
    fn time(&mut self, typical: f64) -> u64 {
        let tail = if self.next() > 0.985 { 1.0 + 2.0 * self.next() } else { 1.0 };
        (typical * (0.85 + 0.4 * self.next() * self.next()) * tail) as u64
    }
}

/// Results with nothing measured.
pub(super) fn nothing() -> Results {
    Results {
        schema: 1,
        version: "0.0.0-test".to_owned(),
        date: "2001-02-03T04:05:06Z".to_owned(),
        command: "stockade bench --html test.html".to_owned(),
        quick: false,
        host: Host {
            kernel: "6.0.0-made-up".to_owned(),
            cpus: 2,
            memory_bytes: 8 << 30,
            cgroup: "v2".to_owned(),
            user: "root".to_owned(),
            load_before: 0.41,
            load_after: 1.87,
        },
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

/// Results as of a whole benchmark.
pub(super) fn whole() -> Results {
    Results {
        modes: modes(),
        host_size: [("plain", 640e3, 0.0), ("namespace_cold", 1.1e6, 0.01), ("fork", 9e5, 12.0)]
            .map(|(mode, start, growth)| {
                let sizes = [0, 64 << 20, 256 << 20, 1 << 30, 4 << 30];
                series(mode, "bytes held by the host", &sizes, |x| start * (1.0 + growth * x / 1e9))
            })
            .into(),
        concurrency: ["plain", "namespace_cold", "namespace_warm", "wasm_pooled"]
            .into_iter()
            .zip([640e3, 1.1e6, 8e5, 31e3])
            .map(|(mode, start)| throughput(mode, start))
            .collect(),
        live: [("namespace_cold", 1.1e6), ("wasm_pooled", 31e3)]
            .map(|(mode, start)| {
                let many = [0, 1, 10, 100, 300, 1000];
                series(mode, "live sandboxes", &many, |x| start * (1.0 + x / 4000.0))
            })
            .into(),
        endurance: [("plain", 640e3), ("namespace_warm", 8e5), ("wasm_pooled", 31e3)]
            .map(|(mode, start)| {
                let runs: Vec<u64> = (1..=10).map(|nth| nth * 10_000).collect();
                series(mode, "runs", &runs, |x| start * (1.0 + 0.02 * (x / 7e3).sin()))
            })
            .into(),
        growth: (0..=10).map(growth).collect(),
        footprint: footprint(),
        overhead: overhead(),
        targets: targets(),
        ..nothing()
    }
}

const WALLS: [&str; 7] = [
    "user, mount, pid, network, IPC and UTS namespaces",
    "cgroup limits",
    "Landlock",
    "seccomp",
    "no new privileges",
    "own root",
    "wall time limit",
];

fn modes() -> Vec<Mode> {
    let mut noise = Noise(7);
    let mut mode = |id: &str, name: &str, family: &str, start: &str, typical: f64, walls: usize| {
        let wall_ns: Vec<u64> = (0..300).map(|_| noise.time(typical)).collect();
        let cpu_ns = wall_ns.iter().map(|wall| (*wall as f64 * 0.8) as u64).collect();
        Mode {
            id: id.to_owned(),
            name: name.to_owned(),
            family: family.to_owned(),
            start: start.to_owned(),
            walls: WALLS[..walls].iter().map(|wall| (*wall).to_owned()).collect(),
            runs: 300,
            wall_ns,
            cpu_ns,
            phases: if family == "namespace" { phases(typical) } else { Vec::new() },
            ..Mode::default()
        }
    };
    let mut modes = vec![
        mode("plain", "posix_spawn and wait", "plain", "plain", 640e3, 0),
        mode("fork", "fork, execve and wait", "plain", "plain", 9e5, 0),
        mode("namespaces", "namespaces alone", "namespace", "cold", 8.9e5, 1),
        mode("and_cgroup", "+ cgroup", "namespace", "cold", 9.6e5, 2),
        mode("and_landlock", "+ Landlock", "namespace", "cold", 1.01e6, 3),
        mode("and_seccomp", "+ seccomp", "namespace", "cold", 1.05e6, 4),
        mode("namespace_cold", "namespace, default policy", "namespace", "cold", 1.1e6, 7),
        mode("namespace_warm", "namespace, prepared", "namespace", "warm", 8e5, 7),
        mode("wasm_compile", "WebAssembly, compiled", "wasm", "cold", 5.2e6, 1),
        mode("wasm_cached", "WebAssembly, from the cache", "wasm", "cold", 2.4e5, 1),
        mode("wasm_pooled", "WebAssembly, pooled", "wasm", "warm", 31e3, 1),
        mode("bwrap", "bubblewrap --unshare-all", "container", "cold", 7.9e6, 1),
        mode("nsjail", "nsjail", "container", "cold", 9.6e6, 2),
        mode("runc", "runc run", "container", "cold", 46e6, 2),
        mode("docker", "docker run --rm --network none", "container", "cold", 0.5e9, 4),
        mode("microvm", "QEMU microvm", "vm", "cold", 1.1e9, 1),
    ];
    troubles(&mut modes);
    modes
}

/// What may go wrong with a mode.
fn troubles(modes: &mut Vec<Mode>) {
    let skipped = |id: &str, reason: &str| Mode {
        id: id.to_owned(),
        name: id.to_owned(),
        family: "container".to_owned(),
        start: "cold".to_owned(),
        skipped: Some(reason.to_owned()),
        ..Mode::default()
    };
    modes.push(skipped("firejail", "not installed"));
    let mut broken = skipped("crun", "");
    (broken.skipped, broken.runs, broken.failures) = (None, 300, 300);
    broken.failure = Some("crun: cannot set up cgroup: Permission denied".to_owned());
    modes.push(broken);
    for mode in modes.iter_mut() {
        match mode.id.as_str() {
            "runc" => {
                mode.wall_ns.truncate(270);
                mode.cpu_ns.clear();
                mode.failures = 30;
                mode.failure = Some("exit status 1: container is not running".to_owned());
                mode.version = Some("0.0 (made up)".to_owned());
            }
            "docker" => mode.cpu_ns.clear(),
            "microvm" => {
                mode.wall_ns.truncate(12);
                (mode.runs, mode.note) = (12, Some("software emulation, without KVM".to_owned()));
            }
            _ => {}
        }
    }
}

fn phases(total: f64) -> Vec<PhaseTime> {
    let shares = [
        ("request", 0.06),
        ("clone", 0.21),
        ("mounts", 0.17),
        ("filters", 0.08),
        ("exec", 0.19),
        ("program", 0.2),
        ("report", 0.05),
    ];
    let phase = |(name, share): (&str, f64)| PhaseTime {
        name: name.to_owned(),
        p50_ns: (total * share) as u64,
    };
    shares.map(phase).into()
}

fn series(mode: &str, x: &str, values: &[u64], time: impl Fn(f64) -> f64) -> Series {
    let point = |x: &u64| {
        let p50 = time(*x as f64);
        Point { x: *x, p50_ns: p50 as u64, p99_ns: (p50 * 1.9) as u64, per_second: None }
    };
    Series { mode: mode.to_owned(), x: x.to_owned(), points: values.iter().map(point).collect() }
}

fn growth(nth: u64) -> Growth {
    Growth {
        runs: nth * 10_000,
        host_bytes: (31 << 20) + nth * 4096,
        host_files: 19,
        helper_bytes: Some((nth.min(1) * 90 + 700) << 10),
        helper_files: (nth > 3).then_some(40),
    }
}

fn throughput(mode: &str, start: f64) -> Series {
    let threads = [1, 2, 4, 8, 16];
    let mut series =
        series(mode, "threads", &threads, |x| start * (1.0 + (x / 2.0 - 1.0).max(0.0)));
    for point in &mut series.points {
        let both = (point.x as f64).min(2.0);
        point.per_second = Some(both * 0.9 * 1e9 / start.max(4e5));
    }
    series
}

fn footprint() -> Vec<Footprint> {
    [
        ("namespace_cold", 214 << 10),
        ("wasm_pooled", 71 << 10),
        ("bwrap", 1340 << 10),
        ("runc", 6100 << 10),
    ]
    .map(|(mode, bytes)| Footprint {
        mode: mode.to_owned(),
        bytes,
        how: "free memory before and after 100 idle ones, divided".to_owned(),
    })
    .into()
}

fn overhead() -> Vec<Overhead> {
    let works = [
        ("a loop of arithmetic", "namespace_cold", 1.004),
        ("system calls", "namespace_cold", 1.08),
        ("reading files", "namespace_cold", 1.05),
        ("a loop of arithmetic", "wasm_pooled", 1.41),
    ];
    let work = |(workload, mode, ratio): (&str, &str, f64)| Overhead {
        workload: workload.to_owned(),
        mode: mode.to_owned(),
        bare_ns: 412_000_000,
        inside_ns: (412e6 * ratio) as u64,
    };
    works.map(work).into()
}

fn targets() -> Vec<Target> {
    let target =
        |id: &str, what: &str, target: &str, measured: Option<f64>, unit: &str, met| Target {
            id: id.to_owned(),
            what: what.to_owned(),
            target: target.to_owned(),
            measured,
            unit: unit.to_owned(),
            met,
            note: met.is_none().then(|| "needs 4 GiB of free memory".to_owned()),
        };
    vec![
        target(
            "P1",
            "namespace, cold, p50 against a plain spawn",
            "≤ 2.0 ×",
            Some(1.72),
            "x",
            Some(true),
        ),
        target("P1", "its p99 against its own p50", "≤ 3 ×", Some(3.4), "x", Some(false)),
        target("P3", "the same in a host of 4 GiB and 64 threads", "≤ 1.15 ×", None, "x", None),
        target("P4", "runs a second, cold", "≥ 1,500", Some(1627.3), "a second", Some(true)),
        target("P11", "system calls of a start", "≤ 10", Some(19.0), "", Some(false)),
    ]
}
