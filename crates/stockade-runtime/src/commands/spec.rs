//! `spec`: a config to begin with.

use std::fs::OpenOptions;
use std::io::{self, Write};

use crate::args::SpecArgs;
use crate::failure::{Context, Failure, Outcome};

pub(super) fn spec(args: &SpecArgs) -> Outcome<()> {
    let ids = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
    let text = text(args.rootless.then_some(ids));
    let path = args.bundle.join("config.json");
    let mut file = match OpenOptions::new().write(true).create_new(true).open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
            return Err(Failure::new("File config.json exists. Remove it first"));
        }
        Err(error) => return Err(error).context(|| path.display().to_string()),
    };
    file.write_all(text.as_bytes()).context(|| path.display().to_string())
}

/// The config, for root, or for a user and group who are root inside alone.
pub(crate) fn text(rootless: Option<(u32, u32)>) -> String {
    let Some((uid, gid)) = rootless else {
        return TEMPLATE
            .replace("@GID", ",\n        \"gid=5\"")
            .replace("@SYS", SYS)
            .replace("@LINUX", LINUX);
    };
    let linux = ROOTLESS_LINUX.replace("@UID", &uid.to_string()).replace("@GID", &gid.to_string());
    // The terminals' group is not mapped, and sysfs belongs to the owner of the network.
    TEMPLATE.replace("@GID", "").replace("@SYS", ROOTLESS_SYS).replace("@LINUX", &linux)
}

const TEMPLATE: &str = include_str!("spec/template.json");
const SYS: &str = r#""type": "sysfs",
      "source": "sysfs",
      "options": ["nosuid", "noexec", "nodev", "ro"]"#;
const ROOTLESS_SYS: &str = r#""type": "none",
      "source": "/sys",
      "options": ["rbind", "nosuid", "noexec", "nodev", "ro"]"#;
const LINUX: &str = r#""resources": {
      "devices": [{ "allow": false, "access": "rwm" }]
    },
    "namespaces": [
      { "type": "pid" },
      { "type": "network" },
      { "type": "ipc" },
      { "type": "uts" },
      { "type": "cgroup" },
      { "type": "mount" }
    ],"#;
const ROOTLESS_LINUX: &str = r#""uidMappings": [{ "containerID": 0, "hostID": @UID, "size": 1 }],
    "gidMappings": [{ "containerID": 0, "hostID": @GID, "size": 1 }],
    "namespaces": [
      { "type": "pid" },
      { "type": "ipc" },
      { "type": "uts" },
      { "type": "cgroup" },
      { "type": "mount" },
      { "type": "user" }
    ],"#;
