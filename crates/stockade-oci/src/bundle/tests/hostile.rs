//! Configs that no tool writes.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::*;
use crate::bundle::fields::FIELDS;

#[track_caller]
fn error(text: &str, kind: ErrorKind, words: &[&str]) -> Error {
    let scratch = Scratch::new();
    let error = Bundle::from_config(text, &scratch.0).expect_err("it makes no sense");
    assert_eq!(error.kind(), kind, "{error}");
    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
    let full = format!("{error}: {cause}");
    for word in words {
        assert!(full.contains(word), "{word:?} in {full}");
    }
    assert!(error.hint().is_some());
    error
}

#[test]
fn what_is_not_json_is_told_by_line_and_column() {
    use ErrorKind::InvalidPolicy;

    error("", InvalidPolicy, &["config.json", "line 1 column 0"]);
    error("{", InvalidPolicy, &["line 1"]);
    error("{}}", InvalidPolicy, &["line 1 column 3"]);
    error("[]", InvalidPolicy, &["`config.json` is a list", "an object"]);
    error("null", InvalidPolicy, &["`config.json` is null"]);
    error(&"[".repeat(1000), InvalidPolicy, &["recursion"]);
    error(&" ".repeat(MAX_CONFIG + 1), InvalidPolicy, &["longer than 4194304 bytes"]);
}

#[test]
fn a_member_that_stands_twice_is_an_error() {
    let text = smallest().to_string();
    let twice = text.replacen(r#""readonly":true"#, r#""readonly":true,"readonly":false"#, 1);
    assert_ne!(text, twice);
    error(&twice, ErrorKind::InvalidPolicy, &[r#"the member "readonly" stands twice"#, "line 1"]);
    // Written in two ways.
    let twice = text.replacen(r#""readonly":true"#, r#""readonly":true,"readonl\u0079":false"#, 1);
    error(&twice, ErrorKind::InvalidPolicy, &["stands twice"]);
}

#[test]
fn versions_that_are_read() {
    let scratch = Scratch::new();
    for version in ["1.0.0", "1.0.2-dev", "1.1.0", "1.1.0+dev", "1.2.0-rc.1", "1.2.99"] {
        accepted(scratch.load(&with("ociVersion", json!(version))));
    }
    for version in
        ["1.0.0-rc5", "0.9.9", "1.3.0", "1.3.0-rc.1", "2.0.0", "1.0", "v1.0.0", "1.0.0 ", "x"]
    {
        let text = with("ociVersion", json!(version)).to_string();
        error(&text, ErrorKind::Unsupported, &["ociVersion", version]);
    }
    // Before anything else that is of another version.
    error(r#"{"ociVersion":"2.0.0","process":[]}"#, ErrorKind::Unsupported, &["2.0.0"]);
    error(r#"{"process":{}}"#, ErrorKind::InvalidPolicy, &["`ociVersion` is missing"]);
}

#[test]
fn everything_that_is_refused_is_named_at_once() {
    let scratch = Scratch::new();
    let mut config = smallest();
    put(&mut config, "process.terminal", json!(true));
    put(&mut config, "hooks.prestart", json!([{ "path": "/bin/true" }]));
    put(&mut config, "linux.sysctl", json!({ "net.ipv4.ip_forward": "1" }));
    put(&mut config, "mounts[].destination", json!("/data"));
    put(&mut config, "mounts[].type", json!("ext4"));
    put(&mut config, "root.readonly", json!(false));
    let error = scratch.load(&config).expect_err("all this is refused");
    let mut paths: Vec<String> = refusals(&error).into_iter().map(|refusal| refusal.path).collect();
    paths.sort();
    let expected =
        ["hooks.prestart", "linux.sysctl", "mounts[0].type", "process.terminal", "root.readonly"];
    assert_eq!(paths, expected);
    for path in expected {
        assert!(error.to_string().contains(&format!("`{path}`: ")), "{error}");
    }
    let many: Vec<Value> =
        (0..1000).map(|_| json!({ "destination": "/a", "type": "ext4" })).collect();
    let error = scratch.load(&with("mounts", json!(many))).expect_err("all this is refused");
    assert_eq!(refusals(&error).len(), 1000);
    assert!(error.to_string().ends_with("and 976 more"), "{error}");
}

#[test]
fn a_long_name_is_shortened_and_odd_ones_are_escaped() {
    let scratch = Scratch::new();
    let mut config = smallest();
    config["x".repeat(1 << 16)] = json!(1);
    config["a\nb\u{1b}"] = json!(1);
    let bundle = accepted(scratch.load(&config));
    noted(&bundle, "a\\nb\\u{1b}", NoteKind::Ignored);
    assert!(bundle.notes.iter().all(|note| note.path.len() < 100), "{:?}", bundle.notes);
}

#[test]
fn the_file_itself_may_be_neither_missing_nor_odd() {
    let scratch = Scratch::new();
    let file = scratch.0.join("config.json");
    let load =
        || Bundle::load(&scratch.0).map(|_| ()).map_err(|error| (error.kind(), error.to_string()));
    assert_eq!(load().expect_err("there is no file").0, ErrorKind::NotFound);
    fs::create_dir(&file).expect("there is room");
    assert!(load().expect_err("a directory").1.contains("not a regular file"));
    fs::remove_dir(&file).expect("it is empty");
    rustix::fs::mkfifoat(rustix::fs::CWD, &file, Mode::RUSR | Mode::WUSR).expect("there is room");
    assert!(load().expect_err("a FIFO").1.contains("not a regular file"));
    fs::remove_file(&file).expect("it is there");
    fs::write(scratch.0.join("other"), smallest().to_string()).expect("there is room");
    std::os::unix::fs::symlink("other", &file).expect("there is room");
    assert!(load().expect_err("a link").1.contains("not a regular file"));
    fs::remove_file(&file).expect("it is there");
    fs::write(&file, b"\"\xff\"").expect("there is room");
    assert_eq!(load().expect_err("not UTF-8").0, ErrorKind::Io);
    let large = File::create(&file).expect("there is room");
    large.set_len(1 << 40).expect("it takes no room");
    assert!(load().expect_err("a terabyte").1.contains("longer than"));
    fs::write(&file, smallest().to_string()).expect("there is room");
    assert_eq!(load(), Ok(()));
    let error = Bundle::load(Path::new("/does/not/exist")).expect_err("there is no bundle");
    assert_eq!(error.kind(), ErrorKind::NotFound);
}

/// Texts that mean something somewhere in a config.
const WORDS: [&str; 22] = [
    "",
    "/",
    "..",
    "tmpfs",
    "bind",
    "rbind",
    "size=1k",
    "size=8k",
    "size=\u{e4}",
    "ro",
    "pid",
    "user",
    "/proc",
    "/proc/kcore",
    "/sys",
    "/tmp",
    "rootfs",
    "a=b",
    "SCMP_ACT_NOTIFY",
    "RLIMIT_AS",
    "x.wasm",
    "1.0.2",
];

/// Any JSON, whose names are those of fields more often than not.
fn anything() -> impl Strategy<Value = Value> {
    let names: Vec<&str> = FIELDS
        .iter()
        .filter_map(|row| row.name.rsplit('.').next())
        .map(|name| name.trim_end_matches("[]"))
        .collect();
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        "\\PC{0,8}".prop_map(Value::from),
        prop::sample::select(WORDS.to_vec()).prop_map(Value::from),
    ];
    let name = prop_oneof![9 => prop::sample::select(names).prop_map(str::to_owned), 1 => ".{0,6}"];
    leaf.prop_recursive(5, 48, 6, move |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(name.clone(), inner, 0..6)
                .prop_map(|map| Value::Object(map.into_iter().collect())),
        ]
    })
}

/// A value that a place takes, more often than not.
fn shaped(shape: Shape) -> BoxedStrategy<Value> {
    let text = prop_oneof![3 => prop::sample::select(WORDS.to_vec()).prop_map(str::to_owned), 1 => "\\PC{0,8}"];
    let right = match shape {
        Shape::Text => text.prop_map(Value::from).boxed(),
        Shape::Flag => any::<bool>().prop_map(Value::from).boxed(),
        Shape::Whole => any::<u64>().prop_map(Value::from).boxed(),
        Shape::Signed => any::<i64>().prop_map(Value::from).boxed(),
        Shape::Id => any::<u32>().prop_map(Value::from).boxed(),
        Shape::Texts => vec(text, 0..4).prop_map(Value::from).boxed(),
        Shape::Ids => vec(any::<u32>(), 0..4).prop_map(Value::from).boxed(),
        Shape::Objects => Just(json!([{}])).boxed(),
        _ => Just(json!({})).boxed(),
    };
    prop_oneof![9 => right, 1 => anything()].boxed()
}

/// Places of the list, and what to put there. Those that are refused come less often: nothing else is
/// found out about a config that has one.
fn changes() -> impl Strategy<Value = Vec<(&'static str, Value)>> {
    let places: Vec<(u32, _)> = FIELDS
        .iter()
        .map(|row| (if row.treatment == Treatment::Refused { 1 } else { 8 }, Just(*row)))
        .collect();
    let place = prop::strategy::Union::new_weighted(places);
    vec(place.prop_flat_map(|row| shaped(row.shape).prop_map(move |value| (row.name, value))), 0..6)
}

proptest! {
    #[test]
    fn no_json_makes_it_panic(value in anything()) {
        let scratch = Scratch::new();
        let _ = scratch.load(&value);
    }

    #[test]
    fn no_change_of_a_config_makes_it_panic_and_what_loads_is_valid(changes in changes()) {
        let scratch = Scratch::new();
        let mut config = smallest();
        for (place, value) in changes {
            put(&mut config, place, value);
        }
        let options = Options {
            terminal_is_streams: true,
            writable_root_is_ephemeral: true,
            seccomp_is_own_profile: true,
            ..Options::default()
        };
        match scratch.load_with(&config, &options) {
            Ok(bundle) => prop_assert!(bundle.policy.validate().is_ok()),
            Err(error) => prop_assert_ne!(error.kind(), ErrorKind::Internal),
        }
    }

    #[test]
    fn no_text_makes_it_panic(text in ".{0,64}") {
        let scratch = Scratch::new();
        let _ = Bundle::from_config(&text, &scratch.0);
    }
}
