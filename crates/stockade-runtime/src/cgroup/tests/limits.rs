use serde_json::Value;

use super::super::limits::{Seats, cpu_weight, swap_alone};
use super::*;

/// Sets limits on a pretended group.
fn set(group: &Pretended, version: Version, value: Value) -> Outcome<()> {
    let names =
        ["memory", "cpu", "cpuset", "pids", "blkio", "hugetlb", "net_cls", "net_prio", "rdma"];
    let names = if version == Version::V1 { names.map(str::to_owned).to_vec() } else { Vec::new() };
    let seats = Seats::new(vec![(names, version, group.dir())], version == Version::V2);
    seats.limit(&resources(value))
}

#[test]
fn swap_is_counted_alone_on_version_2() {
    let alone = |total, memory| swap_alone(total, memory).map_err(|failure| failure.to_string());
    assert_eq!(alone(0, -1), Ok(-1));
    assert_eq!(alone(-1, 100), Ok(-1));
    assert_eq!(alone(0, 100), Ok(0));
    assert_eq!(alone(50, -1), Ok(50));
    assert_eq!(alone(150, 100), Ok(50));
    assert_eq!(alone(100, 100), Ok(0));
    assert_eq!(alone(100, 0), Err("unable to set swap limit without memory limit".into()));
    assert_eq!(alone(99, 100), Err("memory+swap limit should be >= memory limit".into()));
    assert_eq!(alone(99, -5), Err("invalid memory value: -5".into()));
}

#[test]
fn shares_become_weights_on_a_curve() {
    let weights = [0, 2, 3, 256, 1024, 2048, 262_143, 262_144, u64::MAX].map(cpu_weight);
    assert_eq!(weights, [1, 1, 2, 35, 100, 174, 10_000, 10_000, 10_000]);
}

#[test]
fn version_2_gets_memory_and_swap_in_its_own_words() {
    let files = [("memory.max", ""), ("memory.swap.max", ""), ("memory.low", "")];
    let group = Pretended::new(&files);
    let memory = json!({ "memory": { "limit": 1000, "swap": 1500, "reservation": 700 } });
    set(&group, Version::V2, memory).expect("all files are there");
    assert_eq!(files.map(|(file, _)| group.read(file)), ["1000", "500", "700"]);
    let group = Pretended::new(&files);
    set(&group, Version::V2, json!({ "memory": { "limit": 1000, "swap": 1000 } }))
        .expect("no swap");
    assert_eq!(files.map(|(file, _)| group.read(file)), ["1000", "0", ""]);
    let group = Pretended::new(&files);
    set(&group, Version::V2, json!({ "memory": { "limit": -1 } })).expect("no limit");
    assert_eq!(files.map(|(file, _)| group.read(file)), ["max", "max", ""]);
}

#[test]
fn no_swap_where_none_is_counted_is_fine_and_some_is_not() {
    let group = Pretended::new(&[("memory.max", "")]);
    for swap in [-1, 1000] {
        let memory = json!({ "memory": { "limit": 1000, "swap": swap } });
        set(&group, Version::V2, memory).expect("nothing to bound");
    }
    let memory = json!({ "memory": { "limit": 1000, "swap": 2000 } });
    let failure = set(&group, Version::V2, memory).expect_err("no such file").to_string();
    assert!(failure.contains("`1000` to memory.swap.max"), "{failure}");
    assert!(failure.contains("the controller `memory` is not available there"), "{failure}");
}

#[test]
fn what_version_2_does_not_have_is_refused_by_name() {
    let group = Pretended::new(&[]);
    for (value, what) in [
        (json!({ "memory": { "swappiness": 60 } }), "memory.swappiness"),
        (json!({ "memory": { "disableOOMKiller": true } }), "memory.disableOOMKiller"),
        (json!({ "memory": { "kernel": 5 } }), "memory.kernel"),
        (json!({ "memory": { "kernelTCP": 5 } }), "memory.kernelTCP"),
        (json!({ "cpu": { "realtimeRuntime": 5 } }), "cpu.realtimeRuntime"),
        (json!({ "blockIO": { "leafWeight": 5 } }), "blockIO.leafWeight"),
    ] {
        let failure = set(&group, Version::V2, value).expect_err(what).to_string();
        assert!(failure.starts_with(&format!("linux.resources.{what}")), "{failure}");
    }
    // What engines always say, and what asks for nothing.
    let harmless = json!({ "memory": { "disableOOMKiller": false, "kernel": -1 }, "pids": {},
        "cpu": { "shares": 0, "quota": 0, "period": 0, "cpus": "", "realtimePeriod": 0 } });
    set(&group, Version::V2, harmless).expect("nothing is asked");
}

#[test]
fn version_2_gets_processors_in_its_own_words() {
    let files = [("cpu.weight", ""), ("cpu.max", ""), ("cpu.max.burst", ""), ("cpuset.cpus", "")];
    let group = Pretended::new(&files);
    let cpu = json!({ "cpu": { "shares": 512, "quota": 5000, "burst": 100, "cpus": "0-1" } });
    set(&group, Version::V2, cpu).expect("all files are there");
    assert_eq!(files.map(|(file, _)| group.read(file)), ["59", "5000 100000", "100", "0-1"]);
    let group = Pretended::new(&[("cpu.max", ""), ("cpu.idle", "")]);
    let cpu = json!({ "cpu": { "quota": -1, "period": 50000, "idle": 1, "shares": 9 } });
    set(&group, Version::V2, cpu).expect("an idle group has no weight");
    assert_eq!((group.read("cpu.max"), group.read("cpu.idle")), ("max 50000".into(), "1".into()));
}

#[test]
fn version_2_gets_blocks_pages_and_processes_in_its_own_words() {
    let files = [("io.weight", ""), ("io.max", ""), ("pids.max", ""), ("hugetlb.2MB.max", "")];
    let group = Pretended::new(&files);
    let value = json!({
        "blockIO": { "weight": 500, "throttleWriteIOPSDevice": [{ "major": 8, "minor": 1, "rate": 9 }] },
        "pids": { "limit": -1 },
        "hugepageLimits": [{ "pageSize": "2MB", "limit": 4096 }],
        "unified": {},
    });
    set(&group, Version::V2, value).expect("all files are there");
    assert_eq!(files.map(|(file, _)| group.read(file)), ["4950", "8:1 wiops=9", "max", "4096"]);
    let group = Pretended::new(&[("io.bfq.weight", "")]);
    let weights = json!({ "weightDevice": [{ "major": 8, "minor": 0, "weight": 20 }] });
    set(&group, Version::V2, json!({ "blockIO": weights })).expect("BFQ takes them as they are");
    assert_eq!(group.read("io.bfq.weight"), "8:0 20");
}

#[test]
fn version_1_gets_marks_rates_and_devices_for_rdma() {
    let files = [
        ("net_cls.classid", ""),
        ("net_prio.ifpriomap", ""),
        ("rdma.max", ""),
        ("blkio.throttle.read_bps_device", ""),
        ("blkio.bfq.weight", ""),
        ("memory.kmem.tcp.limit_in_bytes", ""),
    ];
    let group = Pretended::new(&files);
    let value = json!({
        "network": { "classID": 1_048_577, "priorities": [{ "name": "eth0", "priority": 5 }] },
        "rdma": { "mlx5_1": { "hcaHandles": 3, "hcaObjects": 10 } },
        "blockIO": { "weight": 100, "throttleReadBpsDevice": [{ "major": 8, "minor": 0, "rate": 600 }] },
        "memory": { "kernelTCP": 99 },
    });
    set(&group, Version::V1, value).expect("all files are there");
    let expected =
        ["1048577", "eth0 5", "mlx5_1 hca_handle=3 hca_object=10", "8:0 600", "100", "99"];
    assert_eq!(files.map(|(file, _)| group.read(file)), expected);
}

#[test]
fn files_by_name_are_checked_and_only_on_version_2() {
    let group = Pretended::new(&[("memory.high", "")]);
    let high = json!({ "unified": { "memory.high": "5" } });
    set(&group, Version::V2, high.clone()).expect("it is there");
    assert_eq!(group.read("memory.high"), "5");
    let failure = set(&group, Version::V1, high).expect_err("no such files").to_string();
    assert!(failure.contains("cannot use it on control groups of version 1"), "{failure}");
    for file in ["../x.y", "a/b.c", "memory", ".x", "x.", "cgroup.procs", "cgroup.subtree_control"]
    {
        let failure = set(&group, Version::V2, json!({ "unified": { file: "1" } }));
        let failure = failure.expect_err(file).to_string();
        assert!(failure.starts_with(&format!("unified resource `{file}`")), "{failure}");
    }
}

#[test]
fn no_part_of_a_config_names_a_file_elsewhere() {
    let group = Pretended::new(&[]);
    let aim = std::env::temp_dir().join(unique("aim.limit_in_bytes"));
    fs::write(&aim, "").expect("a new file");
    // Were the name taken as a path, it would need a folder `hugetlb.x` to climb from.
    fs::create_dir(group.0.join("hugetlb.x")).expect("a new folder");
    let name = aim.file_name().and_then(|name| name.to_str()).expect("text");
    let size = format!("x/../../{}", name.trim_end_matches(".limit_in_bytes"));
    let limit = json!({ "hugepageLimits": [{ "pageSize": size, "limit": 4096 }] });
    let failure = set(&group, Version::V1, limit).expect_err("a path").to_string();
    assert!(failure.contains("no name of a file"), "{failure}");
    assert_eq!(fs::read_to_string(&aim).expect("it is there"), "");
    fs::remove_file(&aim).expect("it is there");
}

#[test]
fn a_missing_controller_is_named_with_file_and_value() {
    let seats = Seats::new(Vec::new(), false);
    let failure = seats.limit(&resources(json!({ "pids": { "limit": 7 } }))).expect_err("none");
    let expected =
        "cannot set pids limit: writing `7` to pids.max: no control group has this controller";
    assert_eq!(failure.to_string(), expected);
}

#[test]
fn an_update_that_fails_leaves_what_was_there() {
    let group = Pretended::new(&[("memory.max", "111"), ("pids.max", "7")]);
    let seats = Seats::new(vec![(Vec::new(), Version::V2, group.dir())], true).undoable();
    let value =
        json!({ "memory": { "limit": 50 }, "pids": { "limit": 5 }, "cpu": { "shares": 9 } });
    seats.limit(&resources(value)).expect_err("there is no cpu.weight");
    // A pretended file keeps the end of what was longer; the kernel's do not.
    assert_eq!((group.read("memory.max"), group.read("pids.max")), ("111".into(), "7".into()));
}

#[test]
fn a_limit_below_what_is_used_is_refused_when_asked_to() {
    let group = Pretended::new(&[("memory.max", ""), ("memory.current", "5000\n")]);
    let memory = |limit: i64| json!({ "memory": { "limit": limit, "checkBeforeUpdate": true } });
    let failure = set(&group, Version::V2, memory(5000)).expect_err("too low").to_string();
    assert_eq!(failure, "rejecting memory limit 5000 <= usage 5000");
    set(&group, Version::V2, memory(5001)).expect("enough");
}
