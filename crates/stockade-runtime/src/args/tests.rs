//! What engines send, and what nobody should.

use clap::CommandFactory;

use super::*;

fn parse(line: &str) -> Args {
    let words = std::iter::once("stockade-oci").chain(line.split_whitespace());
    Args::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}"))
}

fn fails(line: &str) -> String {
    let words = std::iter::once("stockade-oci").chain(line.split_whitespace());
    match Args::try_parse_from(words) {
        Ok(args) => panic!("{line}: {args:?}"),
        Err(error) => error.to_string(),
    }
}

#[test]
fn the_definition_is_sound() {
    Args::command().debug_assert();
}

/// As seen from containerd 1.6, Docker 20.10, podman 4.3 and go-runc.
#[test]
fn whatever_engines_send_is_understood() {
    for line in [
        "--root /r --log /l --log-format json create --bundle /b --pid-file /p ID",
        "--root /r --log /l --log-format json start ID",
        "--root /r --log /l --log-format json delete ID",
        "--root /r --log /l --log-format json delete --force ID",
        "--root /r --log /l --log-format json exec --process /f --detach --pid-file /p ID",
        "--root /r --log /l --log-format json exec --process /f --console-socket /s --pid-file /p ID",
        "--root /r --log /l --log-format json ps --format json ID",
        "--root /r --log /l --log-format json pause ID",
        "--root /r --log /l --log-format json resume ID",
        "--root /r --log /l --log-format json kill ID 9",
        "--root /r --log /l --log-format json kill --all ID 9",
        "--root /r --log /l --log-format json update --resources - ID",
        "--root /r --log /l --log-format json --systemd-cgroup create --bundle /b --pid-file /p --no-pivot --no-new-keyring ID",
        "--debug --root=/r --log=/l --log-format=json --rootless=true state ID",
        "--rootless false --criu /usr/bin/criu list --format=json",
        "create --bundle /b --pid-file /p --console-socket /s --preserve-fds 2 ID",
        "create --bundle=/b --pid-file=/p ID",
        "exec --pid-file /p --process /f --detach ID",
        "exec --preserve-fds 1 -d -p /f ID",
        "kill ID 15",
        "kill ID SIGTERM",
        "update --resources=/f ID",
        "delete ID --force",
        "events --stats ID",
        "events --interval 100ms ID",
        "features",
        "run --bundle /b --detach --pid-file /p --no-subreaper ID",
        "spec --rootless -b /b",
    ] {
        parse(line);
    }
}

#[test]
fn values_are_where_they_belong() {
    let args = parse(
        "--root /r --log /l --log-format json --debug --systemd-cgroup --rootless true --walls full \
         create -b /b --pid-file /p --console-socket /s --no-pivot --no-new-keyring \
         --preserve-fds 3 some-id",
    );
    let globals = args.globals;
    assert_eq!(globals.root.as_deref(), Some("/r".as_ref()));
    assert_eq!(globals.log.as_deref(), Some("/l".as_ref()));
    assert_eq!(globals.log_format, Format::Json);
    assert!(globals.debug && globals.systemd_cgroup);
    assert_eq!(globals.rootless, Rootless::True);
    assert_eq!(globals.walls, Walls::Full);
    let Command::Create(create) = args.command else { panic!("another command") };
    assert_eq!(create.id, "some-id");
    assert_eq!(create.bundle, PathBuf::from("/b"));
    assert_eq!(create.pid_file.as_deref(), Some("/p".as_ref()));
    assert_eq!(create.console_socket.as_deref(), Some("/s".as_ref()));
    assert!(create.no_pivot && create.no_new_keyring);
    assert_eq!(create.preserve_fds, 3);

    let args = parse("create id");
    assert_eq!(args.globals.walls, Walls::Config);
    assert_eq!(args.globals.log_format, Format::Text);
    let Command::Create(create) = args.command else { panic!("another command") };
    assert_eq!(create.bundle, PathBuf::from("."));
    assert_eq!(create.preserve_fds, 0);
}

#[test]
fn a_program_to_execute_keeps_its_own_options() {
    let Command::Exec(exec) =
        parse("exec -t -e A=1 -e B=2 -u 1:2 -g 3 -g 4 -c CAP_KILL id ls -l --force -t").command
    else {
        panic!("another command")
    };
    assert_eq!(exec.id, "id");
    assert_eq!(exec.command, ["ls", "-l", "--force", "-t"]);
    assert!(exec.tty);
    assert_eq!(exec.env, ["A=1", "B=2"]);
    assert_eq!(exec.user.as_deref(), Some("1:2"));
    assert_eq!(exec.additional_gids, [3, 4]);
    assert_eq!(exec.cap, ["CAP_KILL"]);
    let Command::Ps(ps) = parse("ps id -e -o pid,cmd").command else { panic!("another command") };
    assert_eq!(ps.options, ["-e", "-o", "pid,cmd"]);
}

#[test]
fn numbers_may_be_negative() {
    let line = "update --memory -1 --memory-swap=-1 --cpu-quota -1 --pids-limit -1 id";
    let Command::Update(update) = parse(line).command else { panic!("another command") };
    assert_eq!(update.memory.as_deref(), Some("-1"));
    assert_eq!(update.memory_swap.as_deref(), Some("-1"));
    assert_eq!((update.cpu_quota, update.pids_limit), (Some(-1), Some(-1)));
}

#[test]
fn the_last_of_two_counts() {
    let args = parse("--root /a --debug --root /b --debug kill --all --all id");
    assert_eq!(args.globals.root.as_deref(), Some("/b".as_ref()));
}

#[test]
fn what_is_not_known_is_an_error() {
    for (line, word) in [
        ("--bogus state id", "--bogus"),
        ("state --bogus id", "--bogus"),
        ("state", "CONTAINER"),
        ("state a b", "'b'"),
        ("--walls none state id", "none"),
        ("--log-format yaml state id", "yaml"),
        ("events --interval soon id", "soon"),
        ("create --preserve-fds -1 id", "-1"),
        ("update --cpu-quota much id", "much"),
    ] {
        let error = fails(line);
        assert!(error.contains(word), "{line}: {error}");
    }
}

#[test]
fn what_is_no_command_is_left_to_be_told() {
    for name in ["checkpoint", "restore", "init", "bogus"] {
        let Command::Other(args) = parse(&format!("{name} --image-path /x id")).command else {
            panic!("{name} is a command")
        };
        assert_eq!(args[0], name);
    }
}

#[test]
fn root_is_what_auto_means() {
    assert!(Rootless::Auto.is_on(false) && !Rootless::Auto.is_on(true));
    assert!(Rootless::True.is_on(true) && !Rootless::False.is_on(false));
}
