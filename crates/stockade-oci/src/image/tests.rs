use std::ffi::OsString;
use std::path::Path;

use serde_json::{Value, json};
use stockade_core::{Base, ErrorKind, Policy};

use super::{Image, normal};
use crate::blobs::Descriptor;
use crate::digest::Digest;
use crate::document::Manifest;
use crate::platform;

/// An image without layers, with this in its configuration.
fn image(config: &Value) -> Image {
    let descriptor = |media_type: &str| Descriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(b""),
        size: 0,
    };
    let (config_type, manifest_type) = (crate::media::OCI_CONFIG, crate::media::OCI_MANIFEST);
    let manifest = Manifest {
        descriptor: descriptor(manifest_type),
        config: descriptor(config_type),
        layers: Vec::new(),
    };
    let document = json!({
        "architecture": platform::architecture(),
        "os": "linux",
        "config": config,
        "rootfs": { "type": "layers", "diff_ids": [] },
    });
    Image::read(manifest, document.to_string().as_bytes()).expect("an image")
}

fn words(words: &[&str]) -> Vec<OsString> {
    words.iter().map(OsString::from).collect()
}

#[test]
fn the_users_words_take_the_place_of_the_command_and_not_of_the_entrypoint() {
    let both = image(&json!({ "Entrypoint": ["/app", "serve"], "Cmd": ["--fast"] }));
    assert_eq!(both.command(&[]).expect("words"), ("/app".into(), words(&["serve", "--fast"])));
    let given = both.command(&words(&["--slow", "x"])).expect("words");
    assert_eq!(given, ("/app".into(), words(&["serve", "--slow", "x"])));

    let command = image(&json!({ "Cmd": ["sh", "-c", "true"] }));
    assert_eq!(command.command(&[]).expect("words"), ("sh".into(), words(&["-c", "true"])));
    let given = command.command(&words(&["ls"])).expect("words");
    assert_eq!(given, ("ls".into(), words(&[])));

    for config in [json!(null), json!({}), json!({ "Cmd": null }), json!({ "Entrypoint": [""] })] {
        let error = image(&config).command(&[]).expect_err("there is nothing to run");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.hint().is_some());
    }
    assert!(image(&json!(null)).command(&words(&["ls"])).is_ok());
}

#[test]
fn what_an_image_says_goes_into_a_policy_and_nothing_of_the_host() {
    let image = image(&json!({
        "Env": ["PATH=/usr/local/bin", "EMPTY=", "TWICE=1", "TWICE=2", "EQUALS=a=b"],
        "WorkingDir": "srv/./app/../www/",
        "User": "nobody:nogroup",
        "ExposedPorts": { "80/tcp": {} },
        "Volumes": { "/data": {} },
        "Labels": { "b": "2", "a": "1" },
        "Healthcheck": { "Test": ["NONE"] },
    }));
    let mut policy = Policy::default();
    image.apply_to(Path::new("/root"), &mut policy);
    let env: Vec<_> = policy.process.env.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
    assert_eq!(
        env,
        [
            ("EMPTY", ""),
            ("EQUALS", "a=b"),
            ("HOME", "/tmp"),
            ("LANG", "C.UTF-8"),
            ("PATH", "/usr/local/bin"),
            ("TWICE", "2"),
        ]
    );
    assert_eq!(policy.process.cwd, "/srv/www");
    assert_eq!(policy.filesystem.base, Base::WritableRootfs("/root".into()));
    policy.validate().expect("it makes sense");
    assert_eq!(image.config.user, "nobody:nogroup");
    assert_eq!(image.config.labels.keys().collect::<Vec<_>>(), ["a", "b"]);
    // The rest of the policy is as it was.
    let mut untouched = Policy::default();
    untouched.filesystem.base = policy.filesystem.base.clone();
    untouched.process = policy.process.clone();
    assert_eq!(policy, untouched);
}

#[test]
fn a_working_directory_stays_below_the_root() {
    for (said, normalised) in [
        ("", "/"),
        ("/", "/"),
        ("//", "/"),
        (".", "/"),
        ("..", "/"),
        ("/../../etc", "/etc"),
        ("/a//b/./c/", "/a/b/c"),
        ("a/../..", "/"),
    ] {
        assert_eq!(normal(said), normalised, "{said:?}");
    }
}
