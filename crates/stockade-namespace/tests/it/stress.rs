//! stress-ng inside, one class of its stressors after the other: each ends as its limits say, and the
//! host stays as it was.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio as Pipes};
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use stockade_conformance::{Job, Subject as _};
use stockade_core::{
    Ability, Bytes, Control, Execution, Limit, Limits, Policy, Program, Report, Sandbox as _,
    Stdio, Verdict,
};
use stockade_guests as guests;

use crate::alone::alone;
use crate::machine::{Subject, cgroups, descendants, expects, patience, soon, subject, workloads};

const PROGRAM: &str = "/usr/bin/stress-ng";
/// All stressors of a class run for a second. Some take longer to begin, to clean up, or to be
/// talked into ending.
const WALL: Duration = Duration::from_secs(8);
/// What it answers where a stressor has failed, or nothing could be stressed; stress-ng(1). One
/// stands for wrong arguments.
const ANSWERS: [i32; 6] = [0, 2, 3, 4, 5, 7];

#[test]
fn stressors_of_every_class_end_as_they_must_and_the_host_is_as_before() {
    let name = "stressors_of_every_class_end_as_they_must_and_the_host_is_as_before";
    let Some(subject) = subject() else { return };
    if !Path::new(PROGRAM).exists() {
        return expects("stress-ng", "the program is not installed");
    }
    alone(module_path!(), name, || {
        let before = Host::look();
        let memory = available();
        let mut log = KernelLog::from_now_on();
        let mut witness = Witness::new(&subject);
        let least = stress_with_every_class(&subject, &mut witness);
        witness.is_well();
        drop(witness);

        let warden = subject.backend().warden_id().expect("there is a warden");
        assert_eq!(workloads(warden), Vec::<u32>::new());
        assert!(soon(|| descendants(warden).is_empty()), "{:?}", descendants(warden));
        drop(subject);
        assert_eq!(cgroups(std::process::id()), Vec::<String>::new());
        assert_eq!(Host::look().changed_since(&before), Vec::<String>::new());
        if let Some(log) = &mut log {
            assert_eq!(log.alarms(), Vec::<String>::new());
        }
        // Two at a time, each of which had half a gibibyte; and whatever else this machine does.
        let taken = memory.saturating_sub(least);
        assert!(taken < (1 << 30) + memory / 2, "{taken} of {memory} bytes were taken");
    });
}

/// Runs every class, two at a time, and judges how each ended. Gives the least memory that the host
/// had meanwhile.
fn stress_with_every_class(subject: &Subject, witness: &mut Witness) -> u64 {
    let classes = classes();
    assert!(classes.len() > 10, "{classes:?}");
    let left = Mutex::new(classes.iter().collect::<VecDeque<_>>());
    let next = || left.lock().expect("nobody panicked").pop_front();
    thread::scope(|scope| {
        let workers = [0, 1].map(|_| {
            scope.spawn(|| {
                let mut began = 0;
                while let Some(class) = next() {
                    let mut run = stress(subject, class, false);
                    // A class has up to a hundred stressors, each with processes of its own: many
                    // are over before they have begun, and have more room in a second run.
                    if run.is_cut_short {
                        run = stress(subject, class, true);
                    }
                    began += usize::from(run.has_begun);
                }
                began
            })
        });
        let mut least = u64::MAX;
        while workers.iter().any(|worker| !worker.is_finished()) {
            witness.is_well();
            least = least.min(available());
            thread::sleep(Duration::from_millis(20));
        }
        let began: usize = workers.into_iter().map(|worker| worker.join().expect("no panic")).sum();
        // Some classes need what no sandbox has, such as a GPU.
        assert!(began + 3 >= classes.len(), "only {began} of {} began", classes.len());
        least
    })
}

/// What became of one class.
struct Run {
    /// Its stressors were started.
    has_begun: bool,
    /// A limit ended it.
    is_cut_short: bool,
}

/// Runs one class, under the default limits or wider ones.
fn stress(subject: &Subject, class: &str, wide: bool) -> Run {
    let mut policy = subject.policy();
    policy.limits.wall_time = patience(WALL).into();
    if wide {
        policy.limits.processes = Limit::At(1024);
        policy.limits.open_files = Limit::At(4096);
        policy.limits.memory = Bytes(512 << 20).into();
    }
    let program = Program::executable(PROGRAM).args(["--class", class, "--all", "1", "-t", "1s"]);
    let begun = Instant::now();
    let prepared = subject.backend().prepare(&policy, &program).expect("it can be prepared");
    let run = prepared.start(Stdio::captured()).expect("it starts");
    let report = run.wait().expect("the run is reported");
    let took = begun.elapsed();
    let said = String::from_utf8_lossy(&report.stderr).into_owned();
    let what = format!("{class}: {:?}, {:?}\n{said}", report.verdict, report.usage);
    assert!(is_sane(&report, &policy.limits), "{what}");
    assert!(took < patience(WALL + Duration::from_secs(3)), "after {took:?}: {what}");
    if let Ability::Enforced { .. } = subject.backend().support().ability(Control::Memory) {
        let most = policy.limits.memory.get().expect("it is limited").0;
        assert!(report.usage.peak_memory <= most / 10 * 11, "{what}");
    }
    Run {
        has_begun: said.contains("dispatching hogs"),
        is_cut_short: matches!(report.verdict, Verdict::Limit { .. }),
    }
}

/// Whether it ended by itself, or by a limit that it has reached.
fn is_sane(report: &Report, limits: &Limits) -> bool {
    let nanoseconds = |limit: Limit<Duration>| limit.get().map(|time| time.as_nanos() as u64);
    let bytes = |limit: Limit<Bytes>| limit.get().map(|bytes| bytes.0);
    match report.verdict {
        Verdict::Exited { code } => ANSWERS.contains(&code),
        Verdict::Limit { control, limit, observed } => {
            let asked = match control {
                Control::Memory => bytes(limits.memory),
                Control::Disk => bytes(limits.disk),
                Control::FileSize => bytes(limits.file_size),
                Control::CpuTime => nanoseconds(limits.cpu_time),
                Control::WallTime => nanoseconds(limits.wall_time),
                Control::Processes => limits.processes.get(),
                Control::OpenFiles => limits.open_files.get(),
                // It prints some kilobytes.
                _ => None,
            };
            // Near the limit on memory the kernel kills, and on version 1 what it has refused is
            // not part of the peak.
            asked == Some(limit) && observed >= limit / 16 * 15
        }
        _ => false,
    }
}

/// The classes, as the program lists them when it is given one that it does not know.
fn classes() -> Vec<String> {
    let output = Command::new(PROGRAM).args(["--class", "list"]).stdin(Pipes::null()).output();
    let output = output.expect("it starts");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    let (_, list) = said.split_once("classes:").unwrap_or_else(|| panic!("{said}"));
    list.split_whitespace().map(str::to_owned).collect()
}

/// Bytes that the host could still give to programs.
fn available() -> u64 {
    let text = fs::read_to_string("/proc/meminfo").expect("/proc is mounted");
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"));
    let kib = line.and_then(|line| line.split_whitespace().next()?.parse::<u64>().ok());
    kib.expect("a number of KiB") << 10
}

/// What no program inside may change.
struct Host {
    /// Every setting of the kernel.
    settings: BTreeMap<PathBuf, String>,
    mounts: String,
}

impl Host {
    fn look() -> Self {
        let mut settings = BTreeMap::new();
        let mut folders = vec![PathBuf::from("/proc/sys")];
        while let Some(folder) = folders.pop() {
            for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
                let path = entry.path();
                let Ok(meta) = fs::symlink_metadata(&path) else { continue };
                // The last process id, and a rate that the kernel lowers when it is busy.
                let moves =
                    path.ends_with("ns_last_pid") || path.ends_with("perf_event_max_sample_rate");
                if meta.is_dir() {
                    folders.push(path);
                } else if meta.is_file() && meta.mode() & 0o200 != 0 && !moves {
                    // What cannot be read is not among them, and stays so.
                    let text = fs::read_to_string(&path).unwrap_or_default();
                    settings.insert(path, text);
                }
            }
        }
        let mounts = fs::read_to_string("/proc/self/mountinfo").expect("/proc is mounted");
        Self { settings, mounts }
    }

    fn changed_since(&self, before: &Self) -> Vec<String> {
        let names: BTreeSet<_> = self.settings.keys().chain(before.settings.keys()).collect();
        let pairs = names.into_iter().map(|name| {
            let setting = |host: &Self| host.settings.get(name).cloned();
            (name.display().to_string(), setting(before), setting(self))
        });
        let mounts = ("mounts".to_owned(), Some(before.mounts.clone()), Some(self.mounts.clone()));
        let changed = pairs.chain([mounts]).filter(|(_, before, now)| before != now);
        changed.map(|(name, before, now)| format!("{name}: {before:?}, now {now:?}")).collect()
    }
}

/// What the kernel has said since, where it lets itself be listened to.
struct KernelLog(File);

impl KernelLog {
    fn from_now_on() -> Option<Self> {
        let mut options = File::options();
        let log = options.read(true).custom_flags(libc::O_NONBLOCK).open("/dev/kmsg").ok()?;
        let mut log = Self(log);
        log.lines();
        Some(log)
    }

    /// All that was said since the last call; a message has a record of its own.
    fn lines(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        let mut record = [0; 8192];
        loop {
            match self.0.read(&mut record) {
                Ok(length) => {
                    lines.push(String::from_utf8_lossy(&record[..length]).into_owned());
                }
                // Older ones were overwritten; the next read finds the oldest there is.
                Err(error) if error.raw_os_error() == Some(libc::EPIPE) => {}
                Err(_) => return lines,
            }
        }
    }

    /// What it said of troubles of its own. That it has killed a program is none.
    fn alarms(&mut self) -> Vec<String> {
        let words = ["BUG:", "WARNING:", "Oops", "lockup", "hung_task", "blocked for more than"];
        let mut lines = self.lines();
        lines.retain(|line| words.iter().any(|word| line.contains(word)));
        lines
    }
}

/// A sandbox and a process beside, which must not notice anything.
struct Witness {
    run: Option<Box<dyn Execution>>,
    input: Box<dyn Write>,
    output: Box<dyn Read>,
    process: std::process::Child,
}

impl Witness {
    fn new(subject: &Subject) -> Self {
        let job = Job::new(subject, &guests::ECHO_STDIN).policy(|policy: &mut Policy| {
            policy.limits.wall_time = Limit::Unlimited;
        });
        let mut run = job.start(Stdio::streamed());
        let input = Box::new(run.stdin().expect("input is streamed"));
        let output = Box::new(run.stdout().expect("output is streamed"));
        let process = Command::new("cat").stdin(Pipes::piped()).stdout(Pipes::null()).spawn();
        Self { run: Some(run), input, output, process: process.expect("it starts") }
    }

    fn is_well(&mut self) {
        let mut answer = [0; 5];
        self.input.write_all(b"there").and_then(|()| self.input.flush()).expect("it still reads");
        self.output.read_exact(&mut answer).expect("it still answers");
        assert_eq!(&answer, b"there");
        let ended = self.process.try_wait().expect("it is ours");
        assert_eq!(ended, None, "a process of the host has ended");
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        if let Some(run) = self.run.take() {
            run.killer().kill();
            let _ = Job::wait(run);
        }
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
