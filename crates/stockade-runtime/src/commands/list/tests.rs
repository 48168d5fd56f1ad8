//! Tables for people.

use super::*;

#[test]
fn columns_stand_under_their_titles() {
    let value = json!({
        "id": "a-rather-long-name", "status": "running", "bundle": "/b", "created": "now",
        "owner": "root",
    });
    let table = table(&[Line { pid: 42, value }]);
    let mut lines = table.lines();
    let (title, line) = (lines.next().expect("a title"), lines.next().expect("a line"));
    for (above, below) in [
        ("PID", "42"),
        ("STATUS", "running"),
        ("BUNDLE", "/b"),
        ("CREATED", "now"),
        ("OWNER", "root"),
    ] {
        assert_eq!(title.find(above), line.find(below), "{table}");
    }
    assert_eq!(
        super::table(&[]),
        "ID          PID         STATUS      BUNDLE      CREATED     OWNER\n"
    );
}

#[test]
fn users_have_names_where_they_are_known() {
    let names = "root:x:0:0:root:/root:/bin/sh\nbroken\nsome:x:1000:1000::/:\n";
    assert_eq!(user(names, 0), "root");
    assert_eq!(user(names, 1000), "some");
    assert_eq!(user(names, 7), "#7");
}
