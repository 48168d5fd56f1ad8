use serde_json::{Value, json};

use super::v1::{entry, expand};
use super::v2::{blocks, cpu, parse_pressure, together};
use super::*;
use crate::cgroup::tests::Pretended;

#[test]
fn an_empty_container_looks_as_with_runc() {
    let value = serde_json::to_value(Stats::default()).expect("it is plain data");
    let memory = json!({ "limit": 0, "failcnt": 0 });
    assert_eq!(value["memory"]["usage"], memory);
    assert_eq!(value["memory"]["kernelTCP"], memory);
    assert_eq!(value["cpu"], json!({ "usage": { "kernel": 0, "user": 0 }, "throttling": {} }));
    assert_eq!((&value["pids"], &value["blkio"]), (&json!({}), &json!({})));
    assert_eq!((&value["hugetlb"], &value["intel_rdt"]), (&json!({}), &json!({})));
    assert_eq!(value["network_interfaces"], Value::Null);
    assert_eq!(value["cpuset"]["sched_relax_domain_level"], json!(0));
}

#[test]
fn names_of_fields_are_those_of_runc() {
    let mut stats = Stats::default();
    stats.cpu.throttling = Throttling { periods: 1, throttled_periods: 2, throttled_time: 3 };
    stats.cpu.usage.percpu_kernel = vec![4];
    stats.memory.usage.max = 5;
    let line = BlkioEntry { major: 8, minor: 0, op: "Read".into(), value: 6 };
    stats.blkio.io_service_bytes_recursive.push(line.clone());
    stats.blkio.io_queued_recursive.push(line);
    let value = serde_json::to_value(stats).expect("it is plain data");
    let throttling = json!({ "periods": 1, "throttledPeriods": 2, "throttledTime": 3 });
    assert_eq!(value["cpu"]["throttling"], throttling);
    assert_eq!(value["cpu"]["usage"]["percpu_kernel"], json!([4]));
    assert_eq!(value["memory"]["usage"]["max"], json!(5));
    let entry = json!([{ "major": 8, "op": "Read", "value": 6 }]);
    assert_eq!(value["blkio"]["ioServiceBytesRecursive"], entry);
    assert_eq!(value["blkio"]["ioQueueRecursive"], entry);
}

#[test]
fn lists_and_tables_of_version_1_are_read() {
    assert_eq!(expand("0-2,5\n"), [0, 1, 2, 5]);
    assert!(expand("\n").is_empty());
    let line = entry("8:16 Sync 4096").expect("a line");
    assert_eq!((line.major, line.minor, line.op.as_str(), line.value), (8, 16, "Sync", 4096));
    assert_eq!(entry("8:16 77").map(|line| (line.op, line.value)), Some((String::new(), 77)));
    assert_eq!(entry("Total 4096"), None);
}

#[test]
fn files_of_version_1_are_read_with_times_in_nanoseconds() {
    let group = Pretended::new(&[
        ("cpuacct.stat", "user 5\nsystem 7\n"),
        ("cpuacct.usage", "123456\n"),
        ("cpuacct.usage_all", "cpu user system\n0 1 2\n1 3 4\n"),
        ("cpu.stat", "nr_periods 3\nnr_throttled 2\nthrottled_time 9\n"),
        ("pids.current", "4\n"),
        ("pids.max", "max\n"),
        ("blkio.throttle.io_serviced_recursive", "8:0 Read 1\n8:0 Total 1\nTotal 1\n"),
        ("blkio.throttle.io_service_bytes_recursive", "8:0 Read 512\nTotal 512\n"),
    ]);
    let names = ["cpu", "cpuacct", "pids", "blkio"].map(str::to_owned);
    let mut stats = Stats::default();
    v1::read(&names, &group.dir(), &mut stats).expect("all can be read");
    let usage = &stats.cpu.usage;
    assert_eq!((usage.user, usage.kernel, usage.total), (50_000_000, 70_000_000, 123_456));
    assert_eq!((&usage.percpu_user[..], &usage.percpu_kernel[..]), (&[1, 3][..], &[2, 4][..]));
    assert_eq!((stats.cpu.throttling.periods, stats.cpu.throttling.throttled_time), (3, 9));
    assert_eq!((stats.pids.current, stats.pids.limit), (4, 0));
    assert_eq!(stats.blkio.io_serviced_recursive.len(), 2);
    assert_eq!(stats.blkio.io_service_bytes_recursive[0].value, 512);
}

#[test]
fn version_2_is_told_in_the_words_of_version_1() {
    let mut stats = Stats::default();
    cpu("usage_usec 5\nuser_usec 3\nsystem_usec 2\nnr_throttled 4\nthrottled_usec 6\n", &mut stats);
    let usage = &stats.cpu.usage;
    assert_eq!((usage.total, usage.user, usage.kernel), (5000, 3000, 2000));
    assert_eq!(stats.cpu.throttling.throttled_time, 6000);
    blocks("8:0 rbytes=1 wbytes=2 rios=3 wios=4 dbytes=0\nbad\n", &mut stats.blkio);
    let values = |list: &[BlkioEntry]| -> Vec<(String, u64)> {
        list.iter().map(|entry| (entry.op.clone(), entry.value)).collect()
    };
    let expected = |read, write| vec![("Read".to_owned(), read), ("Write".to_owned(), write)];
    assert_eq!(values(&stats.blkio.io_service_bytes_recursive), expected(1, 2));
    assert_eq!(values(&stats.blkio.io_serviced_recursive), expected(3, 4));
    let memory = MemoryEntry { limit: 100, usage: 10, ..MemoryEntry::default() };
    let swap = MemoryEntry { limit: u64::MAX, usage: 5, max: 9, failcnt: 0 };
    let both = together(swap, &memory);
    assert_eq!((both.limit, both.usage, both.max), (u64::MAX, 15, 0));
}

#[test]
fn pressure_is_read() {
    let text = "some avg10=1.50 avg60=0.00 avg300=0.10 total=77\nfull avg10=0.00 total=5\n";
    let pressure = parse_pressure(text);
    assert_eq!((pressure.some.avg10, pressure.some.total, pressure.full.total), (1.5, 77, 5));
}

#[test]
fn sizes_of_huge_pages_are_called_as_their_files() {
    let sizes =
        ["hugepages-64kB", "hugepages-2048kB", "hugepages-1048576kB", "other", "hugepages-x"];
    let sizes: Vec<String> = sizes.into_iter().filter_map(huge_page_size).collect();
    assert_eq!(sizes, ["64KB", "2MB", "1GB"]);
}

#[test]
fn no_limit_is_the_greatest_number() {
    assert_eq!(
        (amount("max\n"), amount("-1"), amount("5\n")),
        (Some(u64::MAX), Some(u64::MAX), Some(5))
    );
}
