use super::fuzz::{HEAVY, LIGHT, Request, request, summary};
use crate::workspace;
use std::collections::BTreeSet;
use std::fs;

fn names(folder: &str) -> BTreeSet<String> {
    let entries = fs::read_dir(workspace::root().join("fuzz").join(folder)).expect("it is there");
    let names = entries.map(|entry| entry.expect("it is readable").path());
    names
        .map(|path| path.file_stem().expect("it has a name").to_string_lossy().into_owned())
        .collect()
}

#[test]
fn every_target_is_known_and_has_seeds() {
    let known: BTreeSet<_> = LIGHT.into_iter().chain(HEAVY).map(str::to_owned).collect();
    assert_eq!(names("targets"), known);
    assert_eq!(names("seeds"), known);
}

#[test]
fn seeds_stay_small() {
    for target in LIGHT.into_iter().chain(HEAVY) {
        let folder = workspace::root().join("fuzz/seeds").join(target);
        for entry in fs::read_dir(folder).expect("it is there") {
            let entry = entry.expect("it is readable");
            let size = entry.metadata().expect("it is a file").len();
            assert!(size <= 2048, "{}: {size} bytes", entry.path().display());
        }
    }
}

#[test]
fn targets_and_seconds_are_read() {
    let light = Request { seconds: 10, targets: LIGHT.to_vec() };
    assert_eq!(request(&[]), Ok(light));
    let wasi = Request { seconds: 3600, targets: vec!["wasi"] };
    assert_eq!(request(&["--seconds", "3600", "wasi"]), Ok(wasi));
    assert_eq!(request(&["all"]).map(|all| all.targets.len()), Ok(LIGHT.len() + HEAVY.len()));
    for wrong in [&["--seconds"][..], &["--seconds", "0"], &["nothing"]] {
        assert!(request(wrong).is_err(), "{wrong:?}");
    }
}

#[test]
fn the_end_of_a_log_is_one_line() {
    let log = "#42\tDONE   cov: 375 ft: 977 corp: 544/81Kb lim: 4096 exec/s: 21 rss: 28Mb\n\
               stat::number_of_executed_units: 42\nstat::average_exec_per_sec:     21\n\
               stat::new_units_added:          3\nstat::peak_rss_mb:              28\n";
    let line = "42 runs, 21 a second, 375 edges covered, at most 28 MiB";
    assert_eq!(summary(log).as_deref(), Some(line));
    assert_eq!(summary("Killed"), None);
}
