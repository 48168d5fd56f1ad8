use super::*;

#[test]
fn a_root_that_is_written_to_has_its_mounts_put_over_it_and_is_built_like_another() {
    let tree = TempDir::tree();
    for place in ["data", "deep/er", "var"] {
        tree.dir(place);
    }
    tree.file("etc/motd", "of the root", 0o644);
    let source = tree.dir("source");
    fs::create_dir(source.join("inner")).expect("there is room");
    let mounts = || {
        vec![
            Mount::read_only(&source, "/data"),
            Mount::read_write(&source, "/data/inner"),
            Mount::read_write(&source, "/deep/er"),
            Mount::tmpfs("/var", None),
            Mount::file("/var/late", "late"),
            Mount::file("/etc/motd", "given"),
        ]
    };
    let read_only = layout(tree.base(), mounts()).expect("a layout");
    let written = layout(Base::WritableRootfs(tree.0.clone()), mounts()).expect("a layout");
    assert_eq!(written.encode_root(), read_only.encode_root());
    assert_eq!(read_only.writable_root, None);
    let meta = fs::metadata(&tree.0).expect("it exists");
    // What is beneath another mount, or new in every run, comes along or is made.
    let expected = ["/data", "/deep/er", "/dev", "/etc/motd", "/proc"];
    let root = written.writable_root.expect("it is written to");
    assert_eq!((root.uid, root.gid), (meta.uid(), meta.gid()));
    assert_eq!(root.mounts, expected);
    assert_eq!(written.writable[0], "/");
    assert_eq!(written.writable[1..], read_only.writable);
}
