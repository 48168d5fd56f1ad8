use std::path::PathBuf;

use stockade_core::ErrorKind;

use super::Source;

#[test]
fn sources_are_read_as_they_are_written() {
    let name = |text: &str| text.parse().expect("a name");
    let layout = |directory: &str, reference: Option<&str>| Source::Layout {
        directory: PathBuf::from(directory),
        reference: reference.map(str::to_owned),
    };
    for (text, source) in [
        ("oci:/srv/app", layout("/srv/app", None)),
        ("oci:app:v1", layout("app", Some("v1"))),
        ("oci:app:localhost:5000/team/app:v1", layout("app", Some("localhost:5000/team/app:v1"))),
        (
            "docker-archive:app.tar:app:v1",
            Source::DockerArchive { file: "app.tar".into(), reference: Some(name("app:v1")) },
        ),
        (
            "docker-archive:/tmp/app.tar.gz",
            Source::DockerArchive { file: "/tmp/app.tar.gz".into(), reference: None },
        ),
        ("team/app:v1", Source::Name(name("team/app:v1"))),
    ] {
        assert_eq!(text.parse::<Source>().expect("a source"), source);
        assert_eq!(source.to_string(), text);
    }
}

#[test]
fn what_names_no_image_is_refused() {
    for text in [
        "",
        "oci:",
        "oci::v1",
        "oci:dir:",
        "oci:a\0b",
        "docker-archive:",
        "docker-archive:a:",
        "docker-archive:a:Not A Name",
        "docker://alpine",
        "https://registry.example/app",
        "oci-archive:/tmp/a.tar",
        "./directory",
    ] {
        let error = text.parse::<Source>().expect_err(text);
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{text:?}");
        assert!(error.hint().is_some(), "{text:?}");
    }
}

#[test]
fn a_path_is_a_directory_or_a_file_whatever_it_is_called() {
    let here = std::env::temp_dir();
    let layout = Source::at(&here, Some("v1")).expect("a layout");
    assert_eq!(layout, Source::Layout { directory: here.clone(), reference: Some("v1".into()) });
    let file = here.join("no:such:file.tar");
    let archive = Source::at(&file, None).expect("an archive");
    assert_eq!(archive, Source::DockerArchive { file: file.clone(), reference: None });
    let error = Source::at(&file, Some("Not A Name")).expect_err("it is none");
    assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
}
