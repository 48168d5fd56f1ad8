use super::debian::configuration;
use std::path::Path;

#[test]
fn the_private_apt_writes_to_its_own_folder_only() {
    let text = configuration(Path::new("/build/apt"));
    let written = text.lines().filter(|line| line.starts_with("Dir::"));
    let outside: Vec<&str> = written.filter(|line| !line.contains("\"/build/apt")).collect();
    assert_eq!(outside, ["Dir::State::status \"/var/lib/dpkg/status\";"]);
}
