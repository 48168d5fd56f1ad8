use std::fs;

use stockade_core::ErrorKind;
use ureq::http::Uri;

use super::{Credentials, PullOptions, Registry, RegistryError, host_of, is_loopback, resolved};
use crate::name::Name;

fn name(text: &str) -> Name {
    text.parse().expect("a name")
}

#[test]
fn a_name_means_a_place() {
    let options = PullOptions::default();
    for (text, host, repository, plain) in [
        ("alpine", super::DOCKER, "library/alpine", false),
        ("team/app:v1", super::DOCKER, "team/app", false),
        ("registry.example/app", "registry.example", "app", false),
        ("localhost:5000/app", "localhost:5000", "app", true),
        ("127.0.0.1/team/app", "127.0.0.1", "team/app", true),
        ("[::1]:5000/app", "[::1]:5000", "app", true),
        ("192.0.2.1:5000/app", "192.0.2.1:5000", "app", false),
        ("localhost.example/app", "localhost.example", "app", false),
    ] {
        let name = name(text);
        let registry = Registry::new(&name, &options).expect("a registry");
        let found = (registry.host, registry.repository.as_str(), registry.plain);
        assert_eq!(found, (host, repository, plain), "{text}");
    }
}

#[test]
fn hosts_are_told_from_ports() {
    for (text, host, loopback) in [
        ("localhost:5000", "localhost", true),
        ("[::1]:5000", "[::1]", true),
        ("[::1]", "[::1]", true),
        ("127.0.0.9", "127.0.0.9", true),
        ("[2001:db8::1]:443", "[2001:db8::1]", false),
        ("registry.example", "registry.example", false),
    ] {
        assert_eq!((host_of(text), is_loopback(host_of(text))), (host, loopback), "{text}");
    }
}

#[test]
fn only_what_the_caller_let_be_is_asked_without_encryption() {
    let mut options = PullOptions::default();
    let near = name("localhost:5000/app");
    let registry = Registry::new(&near, &options).expect("a registry");
    for url in ["https://far.example/x", "http://localhost:5000/x", "http://127.0.0.1:1/x"] {
        registry.allowed(url).expect(url);
    }
    let refused = |registry: &Registry<'_>, url| match registry.allowed(url) {
        Err(RegistryError::Plain { .. } | RegistryError::Address { .. }) => {}
        other => panic!("{url}: {other:?}"),
    };
    refused(&registry, "http://far.example/x");
    refused(&registry, "ftp://localhost/x");
    refused(&registry, "elsewhere");
    let far = name("far.example/app");
    let registry = Registry::new(&far, &options).expect("a registry");
    refused(&registry, "http://far.example/x");
    refused(&registry, "http://localhost/x");
    options.plain_http = true;
    let registry = Registry::new(&far, &options).expect("a registry");
    registry.allowed("http://far.example/x").expect("the caller said so");
    refused(&registry, "http://other.example/x");
    // What is on this machine is none of its business.
    refused(&registry, "http://localhost/x");
}

#[test]
fn redirects_are_seen_from_where_they_are_met() {
    let from: Uri = "https://a.example:5000/v2/app/blobs/x".parse().expect("an address");
    for (to, then) in [
        ("/y?z=1", "https://a.example:5000/y?z=1"),
        ("//b.example/y", "https://b.example/y"),
        ("http://c.example/y", "http://c.example/y"),
    ] {
        assert_eq!(resolved(&from, to), then);
    }
}

#[test]
fn what_docker_noted_is_found_by_the_registry() {
    let directory = std::env::temp_dir().join(format!("stockade-login-{}", std::process::id()));
    fs::create_dir_all(&directory).expect("a directory");
    let file = directory.join("config.json");
    let text = r#"{"auths": {
        "https://index.docker.io/v1/": {"auth": "bWU6c2VjcmV0"},
        "localhost:5000": {"username": "you", "password": "a:b"},
        "https://registry.example": {},
        "bad.example": {"auth": "!!"}
    }, "credsStore": "desktop"}"#;
    fs::write(&file, text).expect("a file");
    let find = |text: &str| {
        Credentials::of_docker(&name(text), |key| {
            (key == "DOCKER_CONFIG").then(|| directory.clone().into_os_string())
        })
    };
    let found = |text: &str| {
        let found = find(text).expect("the file can be read");
        found.map(|Credentials { username, password }| format!("{username} {password}"))
    };
    assert_eq!(found("alpine").as_deref(), Some("me secret"));
    assert_eq!(found("localhost:5000/app").as_deref(), Some("you a:b"));
    assert_eq!(found("registry.example/app"), None);
    assert_eq!(found("localhost:5001/app"), None);
    let error = find("bad.example/app").expect_err("it is no password");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
    assert!(error.to_string().contains("bad.example"), "{error}");
    fs::write(&file, "{").expect("a file");
    assert_eq!(find("alpine").expect_err("no JSON").kind(), ErrorKind::InvalidPolicy);
    fs::remove_dir_all(&directory).expect("it can be removed");
    assert_eq!(found("alpine"), None);
}

#[test]
fn a_password_is_not_shown() {
    let credentials = Credentials { username: "me".into(), password: "secret".into() };
    let options = PullOptions { credentials: Some(credentials), ..PullOptions::default() };
    let text = format!("{options:?}");
    assert!(text.contains("me") && !text.contains("secret"), "{text}");
}
