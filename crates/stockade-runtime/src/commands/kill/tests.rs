//! Signals as people and engines write them.

use super::*;

#[test]
fn signals_have_names_and_numbers() {
    for (text, number) in [
        ("9", 9),
        ("15", 15),
        ("TERM", 15),
        ("SIGTERM", 15),
        ("sigkill", 9),
        ("Hup", 1),
        ("CLD", 17),
        ("37", 37),
        ("64", 64),
        ("RTMIN", libc::SIGRTMIN()),
        ("SIGRTMIN+3", libc::SIGRTMIN() + 3),
        ("rtmax-2", libc::SIGRTMAX() - 2),
    ] {
        assert_eq!(parse(text).expect(text).as_raw(), number, "{text}");
    }
    for text in
        ["", "0", "-1", "65", "32", "33", "BOGUS", "SIG", "SIGSIGTERM", "9x", "RTMIN+99", "RTMIN-1"]
    {
        let failure = parse(text).expect_err(text).to_string();
        assert!(failure.starts_with("unknown signal"), "{failure}");
    }
}
