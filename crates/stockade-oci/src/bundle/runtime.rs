//! What becomes of the fields of `config.json` in the container runtime `stockade-oci`, which does what a
//! config says where a [`Bundle`](super::Bundle) goes its own way.

use stockade_core::Result;

use super::error::RefusedFields;
use super::fields::FIELDS;
use super::table::Shape::{self, *};
use super::table::{Row, Treatment};
use super::walk::{self, Findings};
use super::{Note, json};

/// Holds a config against the list of what the runtime does.
///
/// Gives what it passes over: members that no version of the specification has, and those that mean
/// nothing to it.
///
/// # Errors
/// * `Unsupported`, with [`RefusedFields`] as its cause, naming everything that is asked for and not
///   done; or for another version of the specification;
/// * `InvalidPolicy` for what is no JSON or names the place that is of another type.
///
/// ```
/// use stockade_oci::bundle::runtime;
///
/// let config = r#"{ "ociVersion": "1.0.2", "linux": { "intelRdt": { "closID": "gold" } } }"#;
/// let error = runtime::check(config).expect_err("no class of service is set");
/// assert!(error.to_string().contains("`linux.intelRdt`"));
/// ```
pub fn check(config: &str) -> Result<Vec<Note>> {
    let config = json::read(config)?;
    let mut found = Findings::default();
    // Another version's members are of other shapes.
    super::version(&config)?;
    walk::walk(&config, fields(), &mut found)?;
    if found.refused.is_empty() {
        Ok(found.notes)
    } else {
        Err(RefusedFields { fields: found.refused }.into())
    }
}

/// Every field of `config.json`, and what becomes of it in the runtime.
pub fn fields() -> impl Iterator<Item = Row> {
    let known = FIELDS.iter().map(|row| {
        let exception = EXCEPTIONS.iter().find(|(name, ..)| *name == row.name);
        let (treatment, text) = match exception {
            Some(&(_, treatment, text)) => (treatment, text),
            None if row.treatment == Treatment::Part => (Treatment::Part, ""),
            None => (Treatment::Honoured, ""),
        };
        let inside = INSIDE.iter().find(|(name, _)| *name == row.name);
        let shape = inside.map_or(row.shape, |&(_, shape)| shape);
        Row { name: row.name, shape, treatment, text }
    });
    let parts = INSIDE.iter().filter(|(name, _)| !FIELDS.iter().any(|row| row.name == *name));
    let part = |&(name, shape)| Row { name, shape, treatment: Treatment::Part, text: "" };
    known.chain(parts.map(part))
}

/// What the runtime does not do, or need not.
const EXCEPTIONS: &[(&str, Treatment, &str)] = &[
    ("process.user.username", Treatment::Harmless, PLATFORM),
    ("process.commandLine", Treatment::Refused, PLATFORM),
    ("linux.netDevices", Treatment::Refused, "no network device is moved"),
    ("linux.intelRdt", Treatment::Refused, "no class of service is set"),
    ("linux.memoryPolicy", Treatment::Refused, "no memory policy is set"),
    ("vm", Treatment::Refused, PLATFORM),
    ("windows", Treatment::Refused, PLATFORM),
    ("solaris", Treatment::Refused, PLATFORM),
    ("zos", Treatment::Refused, PLATFORM),
    ("freebsd", Treatment::Refused, PLATFORM),
];

const PLATFORM: &str = "of another platform";

/// The shapes of what a bundle refuses as a whole and the runtime honours, and of its members.
const INSIDE: &[(&str, Shape)] = &[
    ("hooks.prestart", Objects),
    ("hooks.prestart[].path", Text),
    ("hooks.prestart[].args", Texts),
    ("hooks.prestart[].env", Texts),
    ("hooks.prestart[].timeout", Signed),
    ("hooks.createRuntime", Objects),
    ("hooks.createRuntime[].path", Text),
    ("hooks.createRuntime[].args", Texts),
    ("hooks.createRuntime[].env", Texts),
    ("hooks.createRuntime[].timeout", Signed),
    ("hooks.createContainer", Objects),
    ("hooks.createContainer[].path", Text),
    ("hooks.createContainer[].args", Texts),
    ("hooks.createContainer[].env", Texts),
    ("hooks.createContainer[].timeout", Signed),
    ("hooks.startContainer", Objects),
    ("hooks.startContainer[].path", Text),
    ("hooks.startContainer[].args", Texts),
    ("hooks.startContainer[].env", Texts),
    ("hooks.startContainer[].timeout", Signed),
    ("hooks.poststart", Objects),
    ("hooks.poststart[].path", Text),
    ("hooks.poststart[].args", Texts),
    ("hooks.poststart[].env", Texts),
    ("hooks.poststart[].timeout", Signed),
    ("hooks.poststop", Objects),
    ("hooks.poststop[].path", Text),
    ("hooks.poststop[].args", Texts),
    ("hooks.poststop[].env", Texts),
    ("hooks.poststop[].timeout", Signed),
    ("domainname", Text),
    ("process.selinuxLabel", Text),
    ("process.apparmorProfile", Text),
    ("process.scheduler", Object),
    ("process.scheduler.policy", Text),
    ("process.scheduler.nice", Signed),
    ("process.scheduler.priority", Signed),
    ("process.scheduler.flags", Texts),
    ("process.scheduler.runtime", Whole),
    ("process.scheduler.deadline", Whole),
    ("process.scheduler.period", Whole),
    ("process.ioPriority", Object),
    ("process.ioPriority.class", Text),
    ("process.ioPriority.priority", Signed),
    ("mounts[].uidMappings", Objects),
    ("mounts[].uidMappings[].containerID", Id),
    ("mounts[].uidMappings[].hostID", Id),
    ("mounts[].uidMappings[].size", Id),
    ("mounts[].gidMappings", Objects),
    ("mounts[].gidMappings[].containerID", Id),
    ("mounts[].gidMappings[].hostID", Id),
    ("mounts[].gidMappings[].size", Id),
    ("linux.namespaces[].path", Text),
    ("linux.devices", Objects),
    ("linux.devices[].path", Text),
    ("linux.devices[].type", Text),
    ("linux.devices[].major", Signed),
    ("linux.devices[].minor", Signed),
    ("linux.devices[].fileMode", Id),
    ("linux.devices[].uid", Id),
    ("linux.devices[].gid", Id),
    ("linux.resources.memory.reservation", Signed),
    ("linux.resources.memory.kernel", Signed),
    ("linux.resources.memory.kernelTCP", Signed),
    ("linux.resources.memory.disableOOMKiller", Flag),
    ("linux.resources.cpu.realtimeRuntime", Signed),
    ("linux.resources.cpu.realtimePeriod", Whole),
    ("linux.resources.cpu.cpus", Text),
    ("linux.resources.cpu.mems", Text),
    ("linux.resources.cpu.idle", Signed),
    ("linux.resources.blockIO", Object),
    ("linux.resources.blockIO.weight", Id),
    ("linux.resources.blockIO.leafWeight", Id),
    ("linux.resources.blockIO.weightDevice", Objects),
    ("linux.resources.blockIO.weightDevice[].major", Signed),
    ("linux.resources.blockIO.weightDevice[].minor", Signed),
    ("linux.resources.blockIO.weightDevice[].weight", Id),
    ("linux.resources.blockIO.weightDevice[].leafWeight", Id),
    ("linux.resources.blockIO.throttleReadBpsDevice", Objects),
    ("linux.resources.blockIO.throttleReadBpsDevice[].major", Signed),
    ("linux.resources.blockIO.throttleReadBpsDevice[].minor", Signed),
    ("linux.resources.blockIO.throttleReadBpsDevice[].rate", Whole),
    ("linux.resources.blockIO.throttleWriteBpsDevice", Objects),
    ("linux.resources.blockIO.throttleWriteBpsDevice[].major", Signed),
    ("linux.resources.blockIO.throttleWriteBpsDevice[].minor", Signed),
    ("linux.resources.blockIO.throttleWriteBpsDevice[].rate", Whole),
    ("linux.resources.blockIO.throttleReadIOPSDevice", Objects),
    ("linux.resources.blockIO.throttleReadIOPSDevice[].major", Signed),
    ("linux.resources.blockIO.throttleReadIOPSDevice[].minor", Signed),
    ("linux.resources.blockIO.throttleReadIOPSDevice[].rate", Whole),
    ("linux.resources.blockIO.throttleWriteIOPSDevice", Objects),
    ("linux.resources.blockIO.throttleWriteIOPSDevice[].major", Signed),
    ("linux.resources.blockIO.throttleWriteIOPSDevice[].minor", Signed),
    ("linux.resources.blockIO.throttleWriteIOPSDevice[].rate", Whole),
    ("linux.resources.hugepageLimits", Objects),
    ("linux.resources.hugepageLimits[].pageSize", Text),
    ("linux.resources.hugepageLimits[].limit", Signed),
    ("linux.resources.network", Object),
    ("linux.resources.network.classID", Id),
    ("linux.resources.network.priorities", Objects),
    ("linux.resources.network.priorities[].name", Text),
    ("linux.resources.network.priorities[].priority", Id),
    ("linux.resources.unified", Map),
    ("linux.sysctl", Map),
    ("linux.mountLabel", Text),
    ("linux.personality", Object),
    ("linux.personality.domain", Text),
    ("linux.personality.flags", Texts),
];
