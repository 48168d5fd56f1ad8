//! What stands at `/` before the policy's mounts.

use stockade_core::{Base, Policy};

use super::device::DEVICES;
use super::layout::{Content, Layout, LayoutError};
use super::source::Role;

/// Directories every guest may write to, in memory.
const SCRATCH: [&str; 2] = ["/tmp", "/dev/shm"];

/// The same users as native programs have.
const PASSWD: &str = "\
root:x:0:0:root:/root:/usr/sbin/nologin
sandbox:x:1000:1000:sandbox:/tmp:/bin/sh
nobody:x:65534:65534:nobody:/nonexistent:/usr/sbin/nologin
";
const GROUP: &str = "root:x:0:\nsandbox:x:1000:\nnogroup:x:65534:\n";

pub(super) fn lay(layout: &mut Layout, policy: &Policy) -> Result<(), LayoutError> {
    let hostname = &policy.process.hostname;
    match &policy.filesystem.base {
        Base::Rootfs(path) => {
            let root = layout.bind(path, false, &Role::Rootfs)?;
            layout.fixed[0].content = root;
        }
        base => {
            let hosts = format!("127.0.0.1 localhost {hostname}\n::1 localhost\n");
            let name = matches!(base, Base::System).then(|| format!("{hostname}\n"));
            for (path, text) in [
                ("/etc/passwd", Some(PASSWD.into())),
                ("/etc/group", Some(GROUP.into())),
                ("/etc/hosts", Some(hosts)),
                ("/etc/hostname", name),
            ] {
                if let Some(text) = text {
                    layout.put(path, Content::File(text.into_bytes().into()))?;
                }
            }
        }
    }
    // Not the host's, whatever a root has there.
    layout.put("/dev", Content::Empty)?;
    for (name, device) in DEVICES {
        layout.put(&format!("/dev/{name}"), Content::Device(device))?;
    }
    for path in SCRATCH {
        let tree = layout.scratch(0);
        layout.put(path, tree)?;
    }
    Ok(())
}
