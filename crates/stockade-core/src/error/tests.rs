use std::error::Error as _;

use super::{Error, ErrorKind};
use crate::{Policy, PolicyError};

#[derive(Debug, thiserror::Error)]
#[error("mounting /data")]
struct Step(#[source] std::io::Error);

fn refused() -> Error {
    Error::new(ErrorKind::Setup, Step(std::io::ErrorKind::PermissionDenied.into()))
}

#[test]
fn a_message_does_not_repeat_its_cause() {
    let error = refused();
    assert_eq!(error.to_string(), "mounting /data");
    assert_eq!(error.source().expect("a cause").to_string(), "permission denied");
}

#[test]
fn the_typed_cause_can_be_had_back() {
    let error = refused();
    assert!(error.get_ref().is::<Step>());
    assert!(error.unmet().is_empty());
}

#[test]
fn a_later_hint_replaces_an_earlier_one() {
    let error = refused();
    assert_eq!(error.hint(), None);
    let error = error.with_hint("first").with_hint("second");
    assert_eq!(error.hint(), Some("second"));
}

#[test]
fn a_bad_policy_is_an_invalid_policy_error_with_a_hint() {
    let cause = Policy::from_toml("[limits]\nmemory = 1").expect_err("one byte is no memory");
    let error = Error::from(cause);
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert!(error.hint().expect("a hint").contains("limits.memory"));
    assert!(matches!(error.get_ref().downcast_ref(), Some(PolicyError::Value { .. })));
}

#[test]
fn kinds_are_named_as_documented() {
    let kinds = [
        (ErrorKind::InvalidPolicy, "invalid_policy"),
        (ErrorKind::Unsupported, "unsupported"),
        (ErrorKind::NotFound, "not_found"),
        (ErrorKind::PermissionDenied, "permission_denied"),
        (ErrorKind::Setup, "setup"),
        (ErrorKind::HostLost, "host_lost"),
        (ErrorKind::Io, "io"),
        (ErrorKind::Internal, "internal"),
    ];
    for (kind, name) in kinds {
        assert_eq!(kind.to_string(), name);
    }
}
