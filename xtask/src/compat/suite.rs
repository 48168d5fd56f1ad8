//! CPython's own test suite, as an oracle: what came of each test outside must come of it inside.

use super::differences;
use super::ground::{self, Ground};
use super::place::{Call, Place};
use super::programs::skip;
use crate::Outcome;
use crate::test::tally::Tally;
use std::collections::{BTreeMap, BTreeSet};
use std::process::Output;

/// Modules at once on each side: many of their tests sleep.
const WIDTH: &str = "3";

/// Differences that are shown one by one.
const SHOWN: usize = 50;

/// The modules of the short form: files, processes, threads, sockets, memory, signals; a minute.
pub(super) const SHORT: &[&str] = &[
    "test_subprocess",
    "test_socket",
    "test_selectors",
    "test_threading",
    "test_ctypes",
    "test_epoll",
    "test_fcntl",
    "test_mmap",
    "test_os",
    "test_pathlib",
    "test_posix",
    "test_pty",
    "test_resource",
    "test_select",
    "test_shutil",
    "test_tempfile",
    "test_asyncio.test_subprocess",
    "test_asyncio.test_unix_events",
];

/// What the long form adds.
pub(super) const LONG: &[&str] = &[
    "test_asyncio",
    "test_concurrent_futures",
    "test_multiprocessing_fork",
    "test_multiprocessing_forkserver",
    "test_multiprocessing_spawn",
    "test_signal",
    "test_io",
    "test_poll",
    "test_builtin",
    "test_bz2",
    "test_cmd_line",
    "test_codecs",
    "test_compileall",
    "test_dbm",
    "test_decimal",
    "test_dict",
    "test_docxmlrpc",
    "test_email",
    "test_eintr",
    "test_exceptions",
    "test_faulthandler",
    "test_file",
    "test_fileio",
    "test_float",
    "test_fork1",
    "test_ftplib",
    "test_gc",
    "test_generators",
    "test_getpath",
    "test_glob",
    "test_grp",
    "test_gzip",
    "test_hashlib",
    "test_httplib",
    "test_httpservers",
    "test_imaplib",
    "test_import",
    "test_importlib",
    "test_json",
    "test_largefile",
    "test_locale",
    "test_logging",
    "test_lzma",
    "test_mailbox",
    "test_math",
    "test_memoryview",
    "test_multiprocessing_main_handling",
    "test_netrc",
    "test_openpty",
    "test_pickle",
    "test_pipes",
    "test_platform",
    "test_popen",
    "test_poplib",
    "test_posixpath",
    "test_pwd",
    "test_queue",
    "test_random",
    "test_re",
    "test_regrtest",
    "test_sched",
    "test_shelve",
    "test_smtplib",
    "test_spwd",
    "test_ssl",
    "test_stat",
    "test_struct",
    "test_syslog",
    "test_sys",
    "test_tarfile",
    "test_telnetlib",
    "test_thread",
    "test_threadsignals",
    "test_time",
    "test_tracemalloc",
    "test_unicode",
    "test_urllib",
    "test_urllib2_localnet",
    "test_uuid",
    "test_wait3",
    "test_wait4",
    "test_wsgiref",
    "test_xmlrpc",
    "test_zipfile",
    "test_zlib",
    "test_zoneinfo",
];

/// What one side said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Side {
    /// `passed`, `failed` or `skipped`, by module and name of the test; of the worst of its runs.
    pub(super) tests: BTreeMap<(String, String), String>,
    /// The exit status of each module.
    pub(super) modules: BTreeMap<String, i32>,
}

/// Where the sides differ.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Difference {
    pub(super) module: String,
    /// The test, or the module itself.
    pub(super) name: String,
    pub(super) outside: String,
    pub(super) inside: String,
}

impl Side {
    /// Reads what `suite.py` prints; other lines are what failing modules said.
    pub(super) fn read(text: &str) -> Self {
        let mut side = Self::default();
        for line in text.lines() {
            if let Some(rest) = line.strip_prefix("TEST ") {
                let words: Vec<&str> = rest.splitn(3, ' ').collect();
                if let [module, outcome, name] = words[..] {
                    side.tests.insert((module.to_owned(), name.to_owned()), outcome.to_owned());
                }
            } else if let Some(rest) = line.strip_prefix("MODULE ") {
                let mut words = rest.split(' ');
                let (name, status) =
                    (words.next(), words.next().and_then(|word| word.parse().ok()));
                if let (Some(name), Some(status)) = (name, status) {
                    side.modules.insert(name.to_owned(), status);
                }
            }
        }
        side
    }

    fn count(&self, outcome: &str) -> usize {
        self.tests.values().filter(|one| *one == outcome).count()
    }
}

/// Every test of which something else came, and every module that ended otherwise without one.
pub(super) fn compare(outside: &Side, inside: &Side) -> Vec<Difference> {
    let outcome =
        |side: &Side, key| side.tests.get(key).map_or("absent", String::as_str).to_owned();
    let keys: BTreeSet<_> = outside.tests.keys().chain(inside.tests.keys()).collect();
    let mut found = Vec::new();
    for key in keys {
        let (outside, inside) = (outcome(outside, key), outcome(inside, key));
        if outside != inside {
            let (module, name) = key.clone();
            found.push(Difference { module, name, outside, inside });
        }
    }
    let status = |side: &Side, module| {
        let code = side.modules.get(module);
        code.map_or_else(|| "not ended".to_owned(), |code| format!("status {code}"))
    };
    for module in outside.modules.keys() {
        let (outside, inside) = (status(outside, module), status(inside, module));
        if outside != inside && !found.iter().any(|difference| difference.module == *module) {
            let name = module.clone();
            found.push(Difference { module: module.clone(), name, outside, inside });
        }
    }
    found
}

pub(super) fn run(place: &Place, ground: &Ground, is_long: bool) -> Outcome<Tally> {
    println!("\nCPython's test suite, outside and inside");
    let mut tally = Tally::default();
    if let Err(reason) = &ground.python {
        skip(&mut tally, "CPython's test suite", reason);
        return Ok(tally);
    }
    let added = if is_long { LONG } else { &[] };
    let modules: Vec<&str> = SHORT.iter().chain(added).copied().collect();
    let (outside, inside) = sides(place, &modules)?;
    let mut found = compare(&outside, &inside);
    found.retain(|difference| differences::reason(&difference.name).is_none());
    // What depends on timing differs once and not again.
    let again: Vec<&str> = modules
        .iter()
        .copied()
        .filter(|name| found.iter().any(|one| one.module == *name))
        .collect();
    if !again.is_empty() {
        println!("once more: {}", again.join(", "));
        let (outside, inside) = sides(place, &again)?;
        let second = compare(&outside, &inside);
        found.retain(|one| second.iter().any(|other| other.name == one.name));
    }
    report(&outside, &inside, &found, &modules, &mut tally);
    Ok(tally)
}

/// Says what came of it, and counts.
fn report(
    outside: &Side,
    inside: &Side,
    found: &[Difference],
    modules: &[&str],
    tally: &mut Tally,
) {
    for module in modules {
        if !outside.tests.keys().any(|(of, _)| of == module) {
            println!("{module} ... FAILED: no test of it ran outside");
            tally.failed += 1;
        }
    }
    // A module that crashes takes all its tests along.
    let shown = found.len().min(SHOWN);
    for difference in &found[..shown] {
        let Difference { name, outside, inside, .. } = difference;
        println!("{name} ... FAILED: {outside} outside, {inside} inside");
    }
    if found.len() > shown {
        println!("and {} more", found.len() - shown);
    }
    let all = compare(outside, inside);
    let mut listed: BTreeMap<&str, usize> = BTreeMap::new();
    for reason in all.iter().filter_map(|one| differences::reason(&one.name)) {
        *listed.entry(reason).or_default() += 1;
    }
    for (reason, count) in &listed {
        println!("{count} differ as listed: {reason}");
    }
    let known: usize = listed.values().sum();
    let skipped = outside.count("skipped");
    let failed = |side: &Side, key| side.tests.get(key).is_some_and(|outcome| outcome == "failed");
    let both_failed =
        outside.tests.keys().filter(|key| failed(outside, key) && failed(inside, key)).count();
    let same = outside.tests.len().saturating_sub(all.len() + skipped);
    println!(
        "cpython: {} modules, {} tests: the same of {same}, {skipped} skipped outside, {known} differ as \
         listed, {} failed on both sides, {} unexpected",
        modules.len(),
        outside.tests.len(),
        both_failed,
        found.len(),
    );
    tally.passed += same;
    tally.failed += found.len();
}

/// Runs modules on both sides at once.
fn sides(place: &Place, modules: &[&str]) -> Outcome<(Side, Side)> {
    let folder = &place.folder;
    let python = ground::python(folder).to_string_lossy().into_owned();
    let script = folder.join("suite.py").to_string_lossy().into_owned();
    let words = [&[python.as_str(), &script, WIDTH], modules].concat();
    let env = [("PYTHONDONTWRITEBYTECODE", "1")];
    let outputs = place.both(Call { words: &words, env: &env, input: None, options: &[] })?;
    let [outside, inside] = outputs.each_ref().map(text);
    for (side, output) in ["outside", "inside"].into_iter().zip(&outputs) {
        if !output.status.success() {
            let said = String::from_utf8_lossy(&output.stderr).into_owned();
            return Err(format!("the suite did not end {side}: {}: {said}", output.status));
        }
    }
    for line in inside.lines().filter(|line| line.starts_with("| ") && line.contains("Error: ")) {
        println!("{line}");
    }
    Ok((Side::read(&outside), Side::read(&inside)))
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}
