use proptest::prelude::*;
use stockade_core::ErrorKind;

use super::Name;

const DIGEST: &str = "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

fn name(text: &str) -> Name {
    text.parse().expect(text)
}

#[test]
fn names_have_their_parts() {
    let parts = |text: &str| {
        let name = name(text);
        (name.registry.clone(), name.path.clone(), name.tag.clone())
    };
    for (text, registry, path, tag) in [
        ("alpine", None, "alpine", "latest"),
        ("alpine:3.20", None, "alpine", "3.20"),
        ("library/alpine", None, "alpine", "latest"),
        ("docker.io/library/alpine", None, "alpine", "latest"),
        ("index.docker.io/team/app:v1", None, "team/app", "v1"),
        ("team/app", None, "team/app", "latest"),
        ("library/team/app", None, "library/team/app", "latest"),
        ("localhost/app", Some("localhost"), "app", "latest"),
        ("localhost:5000/app:x", Some("localhost:5000"), "app", "x"),
        ("registry.example/library/app", Some("registry.example"), "library/app", "latest"),
        ("Registry/app", Some("Registry"), "app", "latest"),
        ("[::1]:5000/app", Some("[::1]:5000"), "app", "latest"),
        ("[::1]/app", Some("[::1]"), "app", "latest"),
        ("a/b/c/d-e__f.g---h:A_b.c-d", None, "a/b/c/d-e__f.g---h", "A_b.c-d"),
    ] {
        let expected = (registry.map(str::to_owned), path.to_owned(), tag.to_owned());
        assert_eq!(parts(text), expected, "{text}");
    }
    let digested = name(&format!("registry.example/app:v1@{DIGEST}"));
    assert_eq!(digested.digest().map(ToString::to_string).as_deref(), Some(DIGEST));
    assert_eq!(digested.to_string(), format!("registry.example/app@{DIGEST}"));
}

#[test]
fn what_is_no_name_is_refused() {
    let (long, tag) = ("a".repeat(256), format!("a:{}", "b".repeat(129)));
    for text in [
        "",
        "/",
        "a/",
        "/a",
        "a//b",
        "Upper",
        "team/App",
        "a:",
        "a:/b",
        ":tag",
        "a b",
        "a\n",
        "a\0",
        "a..b",
        "a___b",
        "-a",
        "a-",
        "a._b",
        "../a",
        "a/../b",
        "a:-tag",
        "a:.tag",
        "a:t:t",
        "a@b",
        "a@",
        "a@sha256:12",
        "http://a",
        "-host.example/a",
        "host-.example/a",
        "h..e/a",
        "localhost:/a",
        "localhost:port/a",
        "[::1/a",
        "[zz]/a",
        "[::1]x/a",
        "é",
        "a:é",
        &long,
        &tag,
    ] {
        let error = text.parse::<Name>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{text:?}");
        assert!(error.to_string().contains(&format!("{text:?}")) || text.len() > 200, "{error}");
        assert!(error.hint().is_some());
    }
}

#[test]
fn a_name_is_made_of_what_there_is() {
    for (path, tag, made) in [
        ("busybox", "v1", "busybox:v1"),
        ("My Image.tar", "", "my-image-tar:latest"),
        ("--x--", "a b", "x:latest"),
        ("..", "v1", "image:v1"),
        ("", "", "image:latest"),
        ("é", "", "image:latest"),
    ] {
        assert_eq!(Name::made_of(path, tag).to_string(), made);
    }
}

proptest! {
    #[test]
    fn a_name_is_read_as_it_is_written(text in "([a-z.:A-Z0-9]{1,9}/)?[a-z0-9._/-]{1,20}(:[a-zA-Z0-9._-]{1,9})?") {
        if let Ok(name) = text.parse::<Name>() {
            prop_assert_eq!(name.to_string().parse::<Name>().expect("what was written"), name);
        }
    }

    #[test]
    fn what_is_made_is_a_name(path: String, tag: String) {
        let made = Name::made_of(&path, &tag);
        prop_assert_eq!(made.to_string().parse::<Name>().expect("what was made"), made);
    }

    #[test]
    fn no_text_makes_it_panic(text: String) {
        let _ = text.parse::<Name>();
    }
}
