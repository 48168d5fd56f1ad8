//! Registries that want to know who asks, and those that send on to others.

use stockade_core::ErrorKind;
use stockade_oci::{Credentials, PullOptions};

use super::{Answer, Server, Shelf, fails, hasty, left, name, pull};
use crate::made::{Scratch, told};

fn known() -> PullOptions {
    let mut options = hasty();
    options.credentials = Some(Credentials { username: "me".into(), password: "pass:word".into() });
    options
}

/// What `me` and `pass:word` are, as `Basic` has it.
const BASIC: &str = "Basic bWU6cGFzczp3b3Jk";

/// A service that gives tokens, in these words.
fn service(token: &'static str) -> Server {
    Server::start(move |_| Answer::new(200, token.as_bytes()))
}

/// A registry that wants the token of a service.
fn guarded(shelf: Shelf, service: &Server) -> Server {
    let challenge = format!(
        "Bearer realm=\"http://{}/token?x=1\",service=\"the registry\",scope=\"repository:other:push\"",
        service.address
    );
    shelf.serve_but(move |request, answer| match request.header("authorization") {
        Some("Bearer secret") => answer,
        _ => Answer::new(401, b"").header("WWW-Authenticate", &challenge),
    })
}

#[test]
fn a_token_is_got_and_shown_to_the_registry_alone() {
    for (options, shown) in [(hasty(), None), (known(), Some(BASIC))] {
        let service = service(r#"{"access_token": "secret", "expires_in": 60}"#);
        let (shelf, _) = Shelf::simple(1000);
        let server = guarded(shelf, &service);
        let scratch = Scratch::new();
        pull(&scratch.store(), &server, &options).expect("it is pulled");
        let asked = service.asked();
        assert_eq!(asked.len(), 1, "one token is enough");
        assert_eq!(
            asked[0].path, "/token?x=1&service=the%20registry&scope=repository%3Ateam%2Fapp%3Apull",
            "what is asked for is what is needed"
        );
        assert_eq!(asked[0].header("authorization"), shown);
        for request in server.asked() {
            let seen = request.header("authorization");
            assert!(matches!(seen, None | Some("Bearer secret")), "{request:?}");
        }
    }
}

#[test]
fn a_token_that_is_too_old_is_got_again() {
    let service = service(r#"{"token": "secret"}"#);
    let (shelf, _) = Shelf::simple(1000);
    let challenge = format!("Bearer realm=\"http://{}/token\"", service.address);
    let asked = std::sync::atomic::AtomicUsize::new(0);
    let server = shelf.serve_but(move |request, answer| {
        // Before the first answer, and in the middle.
        let count = asked.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        if request.header("authorization").is_none() || count == 3 {
            return Answer::new(401, b"").header("WWW-Authenticate", &challenge);
        }
        answer
    });
    let scratch = Scratch::new();
    pull(&scratch.store(), &server, &hasty()).expect("it is pulled");
    assert_eq!(service.asked().len(), 2);
}

#[test]
fn a_password_is_sent_when_it_is_asked_for() {
    let serve = || {
        let (shelf, _) = Shelf::simple(1000);
        shelf.serve_but(|request, answer| match request.header("authorization") {
            Some(BASIC) => answer,
            _ => Answer::new(401, b"").header("WWW-Authenticate", "Basic realm=\"here\""),
        })
    };
    let scratch = Scratch::new();
    let store = scratch.store();
    let server = serve();
    fails(&store, &server, ErrorKind::PermissionDenied, &["401"]);
    assert_eq!(server.asked().len(), 1, "nothing was known");
    let mut wrong = known();
    wrong.credentials = Some(Credentials { username: "me".into(), password: "guess".into() });
    let error = pull(&store, &server, &wrong).expect_err("it is the wrong one");
    assert_eq!(error.kind(), ErrorKind::PermissionDenied);
    assert!(!told(&error).contains("guess"), "{}", told(&error));
    server.asked();
    pull(&store, &server, &known()).expect("it is pulled");
    let asked = server.asked();
    assert_eq!(asked[0].header("authorization"), None, "not before it is asked for");
}

#[test]
fn a_service_may_be_as_bad_as_a_registry() {
    let scratch = Scratch::new();
    let store = scratch.store();
    for token in [
        // A line more would be a header more.
        r#"{"token": "a\r\nX-Evil: 1"}"#,
        r#"{"token": ""}"#,
        r#"{"nothing": 1}"#,
        "secret",
    ] {
        let service = service(token);
        let (shelf, _) = Shelf::simple(1000);
        let server = guarded(shelf, &service);
        fails(&store, &server, ErrorKind::Io, &["no token that can be used", "/token"]);
    }
    let service = Server::start(|_| Answer::new(200, b"{").endless());
    let (shelf, _) = Shelf::simple(1000);
    let server = guarded(shelf, &service);
    fails(&store, &server, ErrorKind::InvalidPolicy, &["the token"]);
    let service = Server::start(|_| Answer::new(401, b"no"));
    let (shelf, _) = Shelf::simple(1000);
    let server = guarded(shelf, &service);
    fails(&store, &server, ErrorKind::PermissionDenied, &["401", "/token"]);
    // Who would have us tell a password to everybody.
    for (realm, kind, says) in [
        ("http://far.example/token", ErrorKind::InvalidPolicy, "without encryption"),
        ("file:///etc/passwd", ErrorKind::Io, "no address"),
        ("", ErrorKind::Io, "no address"),
    ] {
        let (shelf, _) = Shelf::simple(1000);
        let challenge = format!("Bearer realm=\"{realm}\"");
        let server = shelf
            .serve_but(move |_, _| Answer::new(401, b"").header("WWW-Authenticate", &challenge));
        fails(&store, &server, kind, &[says]);
    }
    for challenge in ["Digest realm=\"x\"", "Bearer", "\u{1}", ""] {
        let (shelf, _) = Shelf::simple(1000);
        let server = shelf
            .serve_but(move |_, _| Answer::new(401, b"").header("WWW-Authenticate", challenge));
        let error = pull(&store, &server, &known()).expect_err("it cannot be satisfied");
        assert!(matches!(error.kind(), ErrorKind::Io | ErrorKind::PermissionDenied), "{error}");
    }
}

#[test]
fn where_a_registry_sends_on_to_nobody_is_told_who_asks() {
    let (shelf, _) = Shelf::simple(1000);
    let away = shelf.clone();
    let storage = Server::start(move |request| {
        let path = request.path.replace("/bucket/", "/v2/team/app/blobs/");
        let path = path.split('?').next().expect("a path").to_owned();
        away.answer(&super::Request { path, ..request.clone() })
    });
    let to = storage.address;
    let server = shelf.serve_but(move |request, answer| {
        if request.header("authorization") != Some(BASIC) {
            return Answer::new(401, b"").header("WWW-Authenticate", "Basic realm=\"here\"");
        }
        match request.path.rsplit_once("/blobs/") {
            Some((_, digest)) => {
                let location = format!("http://{to}/bucket/{digest}?signature=secret");
                Answer::new(307, b"").header("Location", &location)
            }
            None => answer,
        }
    });
    let scratch = Scratch::new();
    pull(&scratch.store(), &server, &known()).expect("it is pulled");
    let asked = storage.asked();
    assert_eq!(asked.len(), 2);
    for request in asked {
        assert_eq!(request.header("authorization"), None, "{request:?}");
    }
    assert!(server.asked().iter().any(|request| request.header("authorization").is_some()));
}

#[test]
fn sending_on_comes_to_an_end() {
    let scratch = Scratch::new();
    let store = scratch.store();
    for (location, kind, says) in [
        ("/v2/round/and/round", ErrorKind::Io, "sent on too often"),
        ("http://far.example/x?key=secret", ErrorKind::InvalidPolicy, "http://far.example/x would"),
        ("ftp://127.0.0.1/x", ErrorKind::Io, "no address"),
        ("http://", ErrorKind::Io, "no address"),
        ("elsewhere", ErrorKind::Io, "no address"),
    ] {
        let server = Server::start(move |_| Answer::new(302, b"").header("Location", location));
        fails(&store, &server, kind, &[says]);
        assert!(server.asked().len() <= 6);
    }
    assert_eq!(left(&store), [""; 0]);
    // To itself, it may.
    let (shelf, _) = Shelf::simple(1000);
    let server = shelf.serve_but(|request, answer| {
        if request.is_blob() && !request.path.contains("/team/app/") {
            unreachable!("{request:?}");
        }
        answer
    });
    store.pull(&name(&server), &hasty(), &mut |_| {}).expect("it is pulled");
}
