use std::ffi::OsStr;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use clap::{CommandFactory, Parser};
use stockade::{Base, Bytes, Control, Cpus, Limit, NetworkMode, SyscallProfile};

use super::{BackendArg, BindArg, Cli, Command, PolicyCommand, RunArgs, TmpfsArg};

fn parse(words: &[&str]) -> Result<Command, clap::Error> {
    Cli::try_parse_from(["stockade"].iter().chain(words)).map(|cli| cli.command)
}

fn run(words: &[&str]) -> RunArgs {
    match parse(&[&["run"], words].concat()) {
        Ok(Command::Run(args)) => *args,
        other => panic!("{words:?} gave {other:?}"),
    }
}

/// The message for a misused command line, whose exit status is always 2.
fn misuse(words: &[&str]) -> String {
    let error = parse(&[&["run"], words].concat()).expect_err("a misuse");
    assert_eq!(error.exit_code(), 2);
    error.to_string()
}

#[test]
fn the_definition_of_the_command_line_is_sound() {
    Cli::command().debug_assert();
}

#[test]
fn everything_after_the_program_is_its_own() {
    for words in [
        &["ls", "-l", "--memory", "1MiB", "--", "x"][..],
        &["--", "ls", "-l", "--memory", "1MiB", "--", "x"],
    ] {
        let args = run(words);
        assert_eq!(args.program.as_deref(), Some("ls".as_ref()));
        assert_eq!(args.args, ["-l", "--memory", "1MiB", "--", "x"]);
        assert_eq!(args.policy.limits.memory, None);
    }
}

#[test]
fn an_unknown_option_is_no_program() {
    assert!(misuse(&["--memroy", "1MiB", "ls"]).contains("--memory"));
    assert!(misuse(&[]).contains("PROGRAM"));
    assert!(misuse(&["--"]).contains("PROGRAM"));
}

#[test]
fn arguments_need_not_be_utf8() {
    let odd = OsStr::from_bytes(b"\xff");
    let words = [OsStr::new("stockade"), OsStr::new("run"), odd, odd];
    let Command::Run(args) = Cli::try_parse_from(words).expect("bytes are fine").command else {
        panic!("not a run");
    };
    assert_eq!((args.program.as_deref(), args.args), (Some(odd), vec![odd.to_owned()]));
}

#[test]
fn limits_are_understood_as_in_a_policy() {
    let limits = run(&[
        "--memory",
        "64MiB",
        "--cpu-time",
        "500ms",
        "--wall-time",
        "1.5",
        "--cpus",
        "0.5",
        "--processes",
        "unlimited",
        "--open-files",
        "16",
        "--file-size",
        "4096",
        "--disk",
        "1GiB",
        "--output",
        "unlimited",
        "--fuel",
        "1000",
        "true",
    ])
    .policy
    .limits;
    assert_eq!(limits.memory, Some(Limit::At(Bytes(64 << 20))));
    assert_eq!(limits.cpu_time, Some(Duration::from_millis(500).into()));
    assert_eq!(limits.wall_time, Some(Duration::from_millis(1500).into()));
    assert_eq!(limits.cpus, Some(Cpus::from_milli(500)));
    assert_eq!(limits.processes, Some(Limit::Unlimited));
    assert_eq!(limits.open_files, Some(Limit::At(16)));
    assert_eq!(limits.file_size, Some(Limit::At(Bytes(4096))));
    assert_eq!(limits.disk, Some(Limit::At(Bytes(1 << 30))));
    assert_eq!(limits.output, Some(Limit::Unlimited));
    assert_eq!(limits.fuel, Some(1000));
}

#[test]
fn a_senseless_value_is_named_with_its_option() {
    for (option, value) in [
        ("--memory", "lots"),
        ("--memory", "-1"),
        ("--cpu-time", "nan"),
        ("--wall-time", "soon"),
        ("--cpus", "0"),
        ("--cpus", "unlimited"),
        ("--processes", "1.5"),
        ("--fuel", "-1"),
        ("--base", "debian"),
        ("--network", "full"),
        ("--syscalls", "none"),
        ("--backend", "docker"),
        ("--best-effort", "memory,luck"),
        ("--tmpfs", "/a:big"),
        ("--ro", ":/a"),
        ("--env", "HOME"),
    ] {
        let message = misuse(&[&format!("{option}={value}"), "true"]);
        let part = value.rsplit(',').next().expect("at least one part");
        assert!(message.contains(option) && message.contains(part), "{message}");
    }
}

#[test]
fn a_host_path_appears_where_it_is_told_to() {
    let bind = |text: &str| BindArg::parse(text.into()).expect(text);
    let cases = [
        ("data", "data", None),
        ("/data:/in", "/data", Some("/in")),
        ("a:b", "a:b", None),
        ("a:b:/in", "a:b", Some("/in")),
        ("/a:/b:/in", "/a:/b", Some("/in")),
    ];
    for (text, source, target) in cases {
        let expected = BindArg { source: source.into(), target: target.map(str::to_owned) };
        assert_eq!(bind(text), expected);
    }
}

#[test]
fn options_that_may_repeat_do() {
    let args = run(&[
        "--ro",
        "/a",
        "--ro",
        "/b:/c",
        "--rw",
        "/d",
        "--tmpfs",
        "/e",
        "--tmpfs",
        "/f:16MiB",
        "--env",
        "A=1",
        "--env",
        "B=x=y",
        "--best-effort",
        "memory,cpu_time",
        "--best-effort",
        "processes",
        "true",
    ]);
    assert_eq!((args.policy.files.ro.len(), args.policy.files.rw.len()), (2, 1));
    let sized = TmpfsArg { target: "/f".to_owned(), size: Some(Bytes(16 << 20)) };
    assert_eq!(args.policy.files.tmpfs, [TmpfsArg { target: "/e".to_owned(), size: None }, sized]);
    assert_eq!(args.policy.process.env[1].value, "x=y");
    assert_eq!(args.policy.best_effort, [Control::Memory, Control::CpuTime, Control::Processes]);
}

#[test]
fn named_values_are_the_librarys() {
    let args = run(&[
        "--base",
        "empty",
        "--network",
        "loopback",
        "--syscalls",
        "strict",
        "--backend",
        "wasm",
        "--cwd",
        "/",
        "true",
    ]);
    assert_eq!(args.policy.files.base, Some(Base::Empty));
    assert_eq!(args.policy.process.network, Some(NetworkMode::Loopback));
    assert_eq!(args.policy.process.syscalls, Some(SyscallProfile::Strict));
    assert_eq!(args.policy.process.cwd.as_deref(), Some("/"));
    assert_eq!(args.backend, BackendArg::Wasm);
}

#[test]
fn a_root_is_either_a_base_or_a_directory() {
    assert!(misuse(&["--base", "empty", "--rootfs", "/r", "true"]).contains("--rootfs"));
    assert!(misuse(&["--writable", "--read-only", "true"]).contains("--read-only"));
}

#[test]
fn the_other_commands_are_understood() {
    assert!(matches!(parse(&["doctor", "--json"]), Ok(Command::Doctor(args)) if args.json));
    assert!(parse(&["doctor", "--thorough"]).is_err());
    for (words, native, wasm) in [
        (&["doctor"][..], true, true),
        (&["doctor", "--backend", "namespace"], true, false),
        (&["doctor", "--attack", "--backend", "wasm"], false, true),
    ] {
        let Ok(Command::Doctor(args)) = parse(words) else { panic!("{words:?}") };
        let asked = [BackendArg::Namespace, BackendArg::Wasm].map(|one| args.asks_for(one));
        assert_eq!(asked, [native, wasm], "{words:?}");
    }
    assert!(matches!(parse(&["version"]), Ok(Command::Version)));
    assert!(parse(&["policy", "check"]).is_err());
    let shown = parse(&["policy", "show", "--json", "p.toml"]).expect("a policy command");
    let Command::Policy { command: PolicyCommand::Show { file, json } } = shown else {
        panic!("{shown:?}");
    };
    assert!(json && file.is_some());
}
