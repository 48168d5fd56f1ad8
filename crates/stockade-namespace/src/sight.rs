//! Whether `/proc` shows the processes of others.

/// Whether the `/proc` of a `/proc/self/mountinfo` text hides the processes of others from an
/// ordinary user: its option `hidepid`, see proc(5).
///
/// The warden of an ordinary user is one to whom they are hidden, its own sandboxes too, since
/// what is cloned from it may not be looked into.
pub(crate) fn is_hidden(mountinfo: &str) -> bool {
    // The last mount on a point covers those before it.
    let options = mountinfo.lines().rev().find_map(|line| {
        let (mount, filesystem) = line.split_once(" - ")?;
        let on_proc = mount.split(' ').nth(4) == Some("/proc");
        on_proc.then(|| filesystem.splitn(3, ' ').nth(2).unwrap_or(""))
    });
    let values = options.into_iter().flat_map(|options| options.split(','));
    values
        .filter_map(|option| option.strip_prefix("hidepid="))
        .any(|value| !matches!(value, "0" | "off"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_hidepid_option_of_the_mount_in_sight_hides() {
        let open = "25 30 0:23 / /proc rw,nosuid shared:14 - proc proc rw\n";
        let hiding = "26 25 0:23 / /proc rw,nosuid - proc proc rw,gid=4,hidepid=invisible\n";
        let elsewhere = "27 30 0:24 / /srv/proc rw - proc proc rw,hidepid=2\n";
        assert!(!is_hidden(open));
        assert!(is_hidden(hiding));
        assert!(is_hidden(&hiding.replace("invisible", "2")));
        assert!(!is_hidden(&hiding.replace("invisible", "off")));
        assert!(is_hidden(&format!("{open}{hiding}{elsewhere}")));
        assert!(!is_hidden(&format!("{hiding}{open}{elsewhere}")));
        assert!(!is_hidden(""));
    }
}
