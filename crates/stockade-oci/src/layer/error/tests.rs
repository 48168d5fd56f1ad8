use super::*;

fn failed(errno: Errno) -> Error {
    Trouble::failed("write the file")(errno).at(Place::Entry(b"a".to_vec())).into()
}

#[test]
fn a_full_disk_is_told_with_advice() {
    for errno in [Errno::NOSPC, Errno::DQUOT] {
        let error = failed(errno);
        assert_eq!(error.kind(), ErrorKind::Setup);
        assert!(error.hint().is_some());
        assert_eq!(error.to_string(), "in the layer, entry `a`: cannot write the file");
    }
    assert_eq!(failed(Errno::IO).kind(), ErrorKind::Io);
    assert_eq!(failed(Errno::ROFS).kind(), ErrorKind::PermissionDenied);
    assert_eq!(failed(Errno::XDEV).kind(), ErrorKind::InvalidPolicy);
}

#[test]
fn a_name_in_a_message_is_on_one_line_and_short() {
    assert_eq!(Place::Entry(b"a\nb\x1b\xff".to_vec()).to_string(), "entry `a\\nb\\u{1b}\u{fffd}`");
    let long = Place::Entry(vec![b'x'; 201]).to_string();
    assert_eq!(long, format!("entry `{}…`", "x".repeat(200)));
    let fits = Place::Entry(vec![b'x'; 200]).to_string();
    assert_eq!(fits, format!("entry `{}`", "x".repeat(200)));
}
