//! Limits as they are asked for.

use clap::Parser;

use super::*;
use crate::args::{Args, Command};
use crate::home::tests::Scratch;

fn args(line: &str) -> UpdateArgs {
    let words = ["stockade-oci", "update"].into_iter().chain(line.split_whitespace());
    match Args::try_parse_from(words).expect(line).command {
        Command::Update(args) => args,
        other => panic!("{other:?}"),
    }
}

#[test]
fn flags_become_members_and_what_is_not_given_is_not_there() {
    let all = "--blkio-weight 10 --cpu-period 1 --cpu-quota -1 --cpu-burst 2 --cpu-share 3 \
               --cpu-rt-period 4 --cpu-rt-runtime 5 --cpu-idle 1 --cpuset-cpus 0-1 --cpuset-mems 0 \
               --memory 1m --memory-reservation 2k --memory-swap -1 --pids-limit 7 id";
    let expected = json!({
        "blockIO": { "weight": 10 },
        "cpu": {
            "period": 1, "quota": -1, "burst": 2, "shares": 3, "realtimePeriod": 4,
            "realtimeRuntime": 5, "idle": 1, "cpus": "0-1", "mems": "0",
        },
        "memory": { "limit": 1 << 20, "reservation": 2048, "swap": -1 },
        "pids": { "limit": 7 },
    });
    assert_eq!(Value::Object(change(&args(all)).expect("it is right")), expected);
    let _: LinuxResources = serde_json::from_value(expected).expect("the types know it");
    assert_eq!(change(&args("id")).expect("it is right"), Map::new());
    let one = change(&args("--pids-limit 0 id")).expect("it is right");
    assert_eq!(Value::Object(one), json!({ "pids": { "limit": 0 } }));
    change(&args("--memory much id")).expect_err("it is no size");
    change(&args("--l3-cache-schema x id")).expect_err("it is not done");
}

#[test]
fn sizes_have_units() {
    for (text, bytes) in [
        ("0", 0),
        ("-1", -1),
        ("7", 7),
        ("7b", 7),
        ("1K", 1024),
        ("2mb", 2 << 20),
        ("1GiB", 1 << 30),
    ] {
        assert_eq!(size(text), Some(bytes), "{text}");
    }
    for text in ["", "k", "-2", "1.5m", "1x", "1kk", "9223372036854775807k", "m1"] {
        assert_eq!(size(text), None, "{text}");
    }
}

#[test]
fn a_document_is_taken_as_it_is_and_without_its_nothings() {
    let scratch = Scratch::new();
    let file = scratch.path.join("resources");
    std::fs::write(&file, r#"{"memory":{"limit":5,"swap":null},"cpu":{},"blockIO":null}"#)
        .expect("it is written");
    let from = |file: &Path| {
        change(&UpdateArgs { resources: Some(file.into()), pids_limit: Some(1), ..args("id") })
    };
    let taken = Value::Object(from(&file).expect("it is right"));
    assert_eq!(taken, json!({ "memory": { "limit": 5 } }));
    for text in ["[]", "{", "", r#"{"memory":{"limit":"much"}}"#] {
        std::fs::write(&file, text).expect("it is written");
        from(&file).expect_err(text);
    }
    from(&scratch.path.join("missing")).expect_err("it is not there");
}

#[test]
fn a_half_comes_with_the_other() {
    let before = json!({ "cpu": { "period": 50_000, "quota": 10_000, "shares": 2 } });
    let whole = |change: Value| match change {
        Value::Object(change) => Value::Object(with_halves(change, &before)),
        other => panic!("{other}"),
    };
    assert_eq!(
        whole(json!({ "cpu": { "quota": 20_000 } })),
        json!({ "cpu": { "quota": 20_000, "period": 50_000 } })
    );
    assert_eq!(
        whole(json!({ "cpu": { "period": 1 } })),
        json!({ "cpu": { "period": 1, "quota": 10_000 } })
    );
    let alone = json!({ "cpu": { "shares": 5, "realtimeRuntime": 1 }, "pids": { "limit": 1 } });
    assert_eq!(whole(alone.clone()), alone);
}

#[test]
fn what_is_not_changed_stays() {
    let mut under = json!({ "memory": { "limit": 1, "swap": 2 }, "devices": [1], "x-new": 1 });
    merge(&mut under, json!({ "memory": { "limit": 3 }, "devices": [2], "cpu": { "shares": 4 } }));
    let expected = json!({
        "memory": { "limit": 3, "swap": 2 }, "devices": [2], "x-new": 1, "cpu": { "shares": 4 },
    });
    assert_eq!(under, expected);
    let mut nothing = Value::Null;
    merge(&mut nothing, json!({ "pids": { "limit": 1 } }));
    assert_eq!(nothing, json!({ "pids": { "limit": 1 } }));
}
