//! Processes that are not who they seem to be.

use super::*;

fn this() -> Init {
    Init::of(std::process::id().cast_signed()).expect("this is a process")
}

#[test]
fn a_process_is_known_by_its_start_and_its_boot() {
    assert!(this().is_alive());
    assert!(this().open().expect("it may be opened").is_some());
    let others = [
        Init { start: this().start + 1, ..this() },
        Init { boot: "another".into(), ..this() },
        Init { pid: i32::MAX, ..this() },
        Init { pid: 0, ..this() },
        Init { pid: -1, ..this() },
    ];
    for other in others {
        assert!(!other.is_alive(), "{other:?}");
        assert!(other.open().expect("nothing is opened").is_none(), "{other:?}");
    }
    Init::of(i32::MAX).expect_err("no process has this id");
}

#[test]
fn a_name_cannot_pass_for_fields() {
    let rest = |state: &str, start: &str| {
        format!("{state} 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 {start} 0 0\n")
    };
    for name in ["sh", "a b", ") Z 1", "((", "a) (b"] {
        let text = format!("7 ({name}) {}", rest("S", "12345"));
        let stat = parse(text.as_bytes()).expect("it is well formed");
        assert_eq!((stat.start, stat.has_ended), (12345, false), "{name}");
    }
    for (state, ended) in [("R", false), ("T", false), ("t", false), ("Z", true), ("X", true)] {
        let text = format!("7 (sh) {}", rest(state, "1"));
        assert_eq!(parse(text.as_bytes()).expect("it is well formed").has_ended, ended, "{state}");
    }
    for text in ["", "7 (sh", "7 (sh) S 1 2", "7 (sh) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 x 0"]
    {
        assert!(parse(text.as_bytes()).is_none(), "{text}");
    }
}
