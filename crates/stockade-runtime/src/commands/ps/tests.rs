//! Lines of ps(1).

use super::*;

#[test]
fn lines_of_other_processes_are_left_out() {
    let output =
        "UID   PID  PPID CMD\nroot    1     0 init 12\nroot   12     1 sh\nroot  112    12 x\n";
    let kept = filter(output, &[12]).expect("there is a column");
    assert_eq!(kept, "UID   PID  PPID CMD\nroot   12     1 sh");
    let kept = filter("    PID CMD\n      1 init\n", &[]).expect("there is a column");
    assert_eq!(kept, "    PID CMD");
    filter("CMD\nsh\n", &[1]).expect_err("there is none");
}
