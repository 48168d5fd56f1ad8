//! [`Module`]: a container whose program is a WebAssembly module.
//!
//! The container has its namespaces and control groups as any other has, but its first process is the
//! `stockade` command, which runs the module: the module sees the root and the mounts through it, and
//! nothing of the kernel. The command has the user that the config names, no capability and no way to any,
//! and Stockade's filter of system calls; it keeps the host's files in sight, since it is one of them.

use std::collections::BTreeMap;
use std::env;
use std::fs::File;
use std::io::Write;
use std::os::fd::{AsRawFd, OwnedFd};
use std::path::{Path, PathBuf};

use oci_spec::runtime::{Mount, Process, Spec};
use rustix::fs::{
    CWD, FileType, MemfdFlags, Mode, OFlags, ResolveFlags, fstat, memfd_create, mkdir, mknodat,
    open, openat2,
};
use rustix::io::{Errno, FdFlags, fcntl_setfd};
use rustix::mount::{
    MountFlags, MountPropagationFlags, MoveMountFlags, OpenTreeFlags, mount, mount_change,
    move_mount, open_tree,
};
use serde_json::{Map, Value, json};

use crate::failure::{Context, Failure, Outcome};
use crate::sealed;

/// What asks for a module that is not called like one; see crun(1) and containerd's wasm shims.
const ANNOTATIONS: [(&str, &str); 2] =
    [("run.oci.handler", "wasm"), ("module.wasm.image/variant", "compat")];
/// What begins the names of annotations that limit a module as a policy's `limits` do.
const LIMITS: &str = "dev.stockade.limits.";
/// How much of a container's memory is left for the command.
const COMMAND: i64 = 32 << 20;
/// Where the files of a container are put for the command.
const PLACE: &str = "/run";

/// Everything that the command needs, opened before the process is made: its user needs no way through the
/// folders above.
#[derive(Debug)]
pub(crate) struct Module {
    command: PathBuf,
    policy: OwnedFd,
    module: OwnedFd,
    /// The root and the sources of binds.
    files: Vec<Source>,
}

/// Where a file or a directory comes from.
#[derive(Debug)]
enum Source {
    /// A mount of it, which is nowhere yet.
    Mount(OwnedFd),
    /// For a user who may mount only in the container's namespaces: that user has a way to it.
    Path(PathBuf),
}

impl Module {
    /// Whether a config's program is a module.
    pub(crate) fn is_in(spec: &Spec) -> bool {
        let process = spec.process().as_ref();
        let name = process.and_then(|process| process.args().as_ref()?.first());
        let asked = |&(name, value): &(&str, &str)| {
            spec.annotations().as_ref().is_some_and(|all| all.get(name).is_some_and(|v| v == value))
        };
        name.is_some_and(|name| name.ends_with(".wasm")) || ANNOTATIONS.iter().any(asked)
    }

    /// Opens what it is made of.
    ///
    /// # Errors
    /// If the `stockade` command, the module or a source of a bind is not there, or a limit makes no sense.
    pub(crate) fn open(spec: &Spec, process: &Process, bundle: &Path) -> Outcome<Self> {
        let path = spec.root().as_ref().map_or(Path::new("rootfs"), |root| root.path());
        let path = bundle.join(path);
        let what = || format!("invalid rootfs {}", path.display());
        let flags = OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let root = open(&path, flags, Mode::empty()).context(what)?;
        let name = process.args().as_ref().and_then(|args| args.first()).map_or("", String::as_str);
        let inside = process.cwd().join(name);
        let resolve = ResolveFlags::IN_ROOT | ResolveFlags::NO_MAGICLINKS;
        let inner = inside.strip_prefix("/").unwrap_or(&inside);
        let module =
            openat2(&root, inner, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty(), resolve)
                .context(|| format!("exec: {name:?}"))?;
        let mut files = vec![Source::of(&path).context(what)?];
        let policy = policy(spec, process, bundle, &mut files)?;
        Ok(Self { command: command()?, policy: written(&policy)?, module, files })
    }

    /// Makes the process's own view of the host: a /proc of its own namespace, which it finds its
    /// descriptors by, and the container's files in a place that its user can reach, whichever folders
    /// they are in. What the host has in that place, which is sockets above all, is out of sight.
    pub(crate) fn settle(&self) -> Outcome<()> {
        // Before something is mounted above them.
        let files = self.files.iter().map(Source::mount).collect::<Outcome<Vec<_>>>()?;
        let private = MountPropagationFlags::PRIVATE | MountPropagationFlags::REC;
        mount_change("/", private).context(|| "making mounts private".into())?;
        let flags = MountFlags::NOSUID | MountFlags::NODEV | MountFlags::NOEXEC;
        mount("proc", "/proc", "proc", flags, None).context(|| "mounting /proc".into())?;
        mount("tmpfs", PLACE, "tmpfs", flags, Some(c"mode=0755,size=64k"))
            .context(|| format!("mounting {PLACE}"))?;
        for (number, file) in files.iter().enumerate() {
            let place = place(number);
            let what = || format!("mounting {place}");
            let stat = fstat(file).context(what)?;
            if FileType::from_raw_mode(stat.st_mode) == FileType::Directory {
                mkdir(&place, Mode::from_raw_mode(0o755)).context(what)?;
            } else {
                mknodat(CWD, &place, FileType::RegularFile, Mode::RUSR, 0).context(what)?;
            }
            let flags = MoveMountFlags::MOVE_MOUNT_F_EMPTY_PATH;
            move_mount(file, "", CWD, &place, flags).context(what)?;
        }
        Ok(())
    }

    /// The command.
    pub(crate) fn command(&self) -> &Path {
        &self.command
    }

    /// Its arguments, for those of the module.
    pub(crate) fn arguments(&self, args: &[String]) -> Vec<String> {
        let fixed = ["stockade", "run", "--backend", "wasm", "--policy", &by(&self.policy), "--"];
        let module = by(&self.module);
        let rest = args.iter().skip(1).map(String::as_str);
        fixed.into_iter().chain([module.as_str()]).chain(rest).map(str::to_owned).collect()
    }

    /// Has the command find its descriptors open.
    pub(crate) fn pass_on(&self) -> Outcome<()> {
        for descriptor in [&self.policy, &self.module] {
            fcntl_setfd(descriptor, FdFlags::empty())
                .context(|| "passing descriptors on".into())?;
        }
        Ok(())
    }
}

/// The `stockade` command: beside this program, or in $PATH.
fn command() -> Outcome<PathBuf> {
    let beside = sealed::original().and_then(|path| Some(path.parent()?.join("stockade")));
    let path = env::var_os("PATH").unwrap_or_default();
    let all = beside.into_iter().chain(env::split_paths(&path).map(|dir| dir.join("stockade")));
    all.into_iter().find(|path| path.is_file()).ok_or_else(|| {
        Failure::new("a WebAssembly module is run by the command `stockade`, which is neither beside this program nor in $PATH")
    })
}

impl Source {
    fn of(path: &Path) -> rustix::io::Result<Self> {
        match copy(path) {
            Err(Errno::PERM) => Ok(Self::Path(path.to_owned())),
            mount => mount.map(Self::Mount),
        }
    }

    /// The mount, made now if it was not before.
    fn mount(&self) -> Outcome<OwnedFd> {
        match self {
            Self::Mount(mount) => mount.try_clone().context(|| "a mount".into()),
            Self::Path(path) => copy(path).context(|| format!("mount {}", path.display())),
        }
    }
}

/// A mount of a file or a directory and of what is mounted in it, which is nowhere yet.
fn copy(path: &Path) -> rustix::io::Result<OwnedFd> {
    let flags = OpenTreeFlags::OPEN_TREE_CLONE
        | OpenTreeFlags::OPEN_TREE_CLOEXEC
        | OpenTreeFlags::AT_RECURSIVE;
    open_tree(CWD, path, flags)
}

/// A path to what a descriptor stands for.
fn by(descriptor: &OwnedFd) -> String {
    format!("/proc/self/fd/{}", descriptor.as_raw_fd())
}

/// Where the root is, and after it the sources of binds.
fn place(number: usize) -> String {
    format!("{PLACE}/{number}")
}

/// The policy: files, environment and limits of the config. What bounds a container in time it gets by
/// annotations, since a config knows nothing of that.
fn policy(
    spec: &Spec,
    process: &Process,
    bundle: &Path,
    files: &mut Vec<Source>,
) -> Outcome<Value> {
    let mut env = BTreeMap::new();
    for variable in process.env().iter().flatten() {
        let (name, value) = variable
            .split_once('=')
            .ok_or_else(|| Failure::new(format!("invalid environment variable: {variable:?}")))?;
        env.insert(name, value);
    }
    let mounts = mounts(spec, bundle, files)?;
    Ok(json!({
        "limits": limits(spec),
        "filesystem": { "base": { "rootfs": place(0) }, "mounts": mounts },
        "network": { "mode": "none" },
        "process": { "cwd": process.cwd(), "env": env },
    }))
}

fn limits(spec: &Spec) -> Map<String, Value> {
    let mut limits = Map::new();
    for name in ["memory", "cpu_time", "wall_time", "disk", "file_size", "output"] {
        limits.insert(name.to_owned(), "unlimited".into());
    }
    let resources = spec.linux().as_ref().and_then(|linux| linux.resources().as_ref());
    let memory =
        resources.and_then(|all| all.memory().as_ref()?.limit()).filter(|&bytes| bytes > 0);
    if let Some(bytes) = memory {
        // The command is in the same control group, and the module is to meet its limit first.
        let own = COMMAND.min(bytes / 2);
        limits.insert("memory".to_owned(), (bytes - own).into());
    }
    for (name, value) in spec.annotations().iter().flatten() {
        if let Some(limit) = name.strip_prefix(LIMITS) {
            // Numbers are written as text there.
            let number = value.parse::<u64>().map(Value::from);
            limits.insert(limit.to_owned(), number.unwrap_or_else(|_| value.as_str().into()));
        }
    }
    limits
}

/// Binds and memory filesystems. What the kernel's own filesystems show is not for a module.
fn mounts(spec: &Spec, bundle: &Path, files: &mut Vec<Source>) -> Outcome<Vec<Value>> {
    const KERNELS: [&str; 6] = ["proc", "sysfs", "devpts", "mqueue", "cgroup", "cgroup2"];
    let mut found = Vec::new();
    for mount in spec.mounts().iter().flatten() {
        let target = mount.destination();
        let kind = mount.typ().as_deref().unwrap_or_default();
        // What every engine has for devices is for programs that have some.
        let is_devices = [Path::new("/dev"), Path::new("/dev/shm")].contains(&target.as_path());
        if KERNELS.contains(&kind) || is_devices {
            continue;
        }
        let has = |name: &str| mount.options().iter().flatten().any(|option| option == name);
        match (kind, mount.source()) {
            ("tmpfs", _) => found.push(tmpfs(mount)),
            (_, Some(source)) if kind == "bind" || has("bind") || has("rbind") => {
                let file = Source::of(&bundle.join(source))
                    .context(|| format!("mount {}", source.display()))?;
                let access = if has("ro") || has("rro") { "ro" } else { "rw" };
                found.push(
                    json!({ "bind": place(files.len()), "target": target, "access": access }),
                );
                files.push(file);
            }
            _ => {
                let text =
                    format!("a module has no mount of type `{kind}` at {}", target.display());
                return Err(Failure::new(text));
            }
        }
    }
    Ok(found)
}

fn tmpfs(mount: &Mount) -> Value {
    let options = mount.options().iter().flatten();
    let size = options.filter_map(|option| option.strip_prefix("size=")).next_back();
    let mut value = json!({ "tmpfs": mount.destination() });
    if let Some(size) = size {
        // The kernel's k, m and g are binary; see tmpfs(5).
        let size = match size.trim_end_matches(|c: char| c.is_ascii_alphabetic()) {
            number if number.len() == size.len() => number.to_owned(),
            number => format!("{number}{}iB", size[number.len()..].to_ascii_uppercase()),
        };
        value["size"] = size.parse::<u64>().map_or_else(|_| size.clone().into(), Value::from);
    }
    value
}

/// A text as a file in memory that everybody may read.
fn written(policy: &Value) -> Outcome<OwnedFd> {
    let what = || "writing the module's policy".into();
    let text = toml::to_string(policy).context(what)?;
    let mut file = File::from(memfd_create("policy", MemfdFlags::CLOEXEC).context(what)?);
    file.write_all(text.as_bytes()).context(what)?;
    Ok(file.into())
}
