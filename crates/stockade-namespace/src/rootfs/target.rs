//! Where a policy's mounts may go.

use std::path::{Component, Path, PathBuf};

use super::error::RootfsError;
use super::view::{NodeKind, Object, Step, View};

/// Puts a policy's mount into the view, after checking that its target can take it. `directory`
/// says which kind of mount point it needs.
pub(super) fn mount(
    view: &mut View,
    target: &str,
    kind: NodeKind,
    directory: bool,
) -> Result<(), RootfsError> {
    let path = Path::new(target);
    check_form(target, path)?;
    check_order(view, target, path)?;
    let missing = check_way(view, target, path, directory)?;
    for parent in missing {
        view.put(parent, NodeKind::Dir);
    }
    view.replace(path, kind);
    Ok(())
}

/// The policy's own validation says the same; a caller that forgot it must not get past here.
fn check_form(target: &str, path: &Path) -> Result<(), RootfsError> {
    let normal: PathBuf = path.components().collect();
    let up = path.components().any(|part| part == Component::ParentDir);
    if !path.is_absolute() || up || target.contains('\0') || normal.as_os_str() != target {
        return Err(RootfsError::TargetForm { target: target.to_owned() });
    }
    let device = path.starts_with("/dev") && !path.starts_with("/dev/shm");
    if target == "/" || path.starts_with("/proc") || device {
        return Err(RootfsError::TargetReserved { target: target.to_owned() });
    }
    Ok(())
}

/// Mounts come one after the other: a later one may neither repeat nor hide an earlier one.
fn check_order(view: &View, target: &str, path: &Path) -> Result<(), RootfsError> {
    let target = target.to_owned();
    match view.nodes().find(|(at, node)| node.asked && at.starts_with(path)) {
        None => Ok(()),
        Some((at, _)) if at == path => Err(RootfsError::TargetTaken { target }),
        Some((at, _)) => Err(RootfsError::TargetHides { target, hidden: at.to_owned() }),
    }
}

/// Walks to the target without following links, as the warden will; returns the parents that
/// are to be made.
fn check_way(
    view: &View,
    target: &str,
    path: &Path,
    directory: bool,
) -> Result<Vec<PathBuf>, RootfsError> {
    let mut missing = Vec::new();
    let mut here = view.root();
    let mut at = PathBuf::from("/");
    for part in path.components().skip(1) {
        at.push(part);
        let last = at == path;
        let target = || target.to_owned();
        let own = view.node(&at).map(|node| &node.kind);
        let wanted = if !last || directory { "a directory" } else { "a file" };
        let wrong = || RootfsError::TargetKind { target: target(), at: at.clone(), wanted };
        if let Some(NodeKind::Scratch { .. }) = own {
            match (last, directory) {
                // Empty in every run: what is needed there can be made.
                (false, _) => here = Object::MemoryDir,
                (true, false) => return Err(wrong()),
                (true, true) => return Ok(missing),
            }
            continue;
        }
        let step = view.step(&at, &here).map_err(|source| RootfsError::TargetUnreachable {
            target: target(),
            at: at.clone(),
            source,
        })?;
        here = match (step, &here) {
            // What the base keeps in memory makes way for what the policy puts there.
            _ if last && own.is_some() => return Ok(missing),
            (Step::Link(_), _) => {
                return Err(RootfsError::TargetLink { target: target(), link: at });
            }
            (Step::Object(Object::Missing), Object::HostDir(dir)) => {
                let missing = dir.join(at.file_name().unwrap_or_default());
                return Err(RootfsError::TargetMissing { target: target(), missing });
            }
            (Step::Object(Object::Missing), _) => {
                if !last {
                    missing.push(at.clone());
                }
                Object::MemoryDir
            }
            (Step::Object(Object::HostFile(file)), _) if last && !directory => {
                Object::HostFile(file)
            }
            (Step::Object(object), _) if object.is_dir() && (!last || directory) => object,
            _ => return Err(wrong()),
        };
    }
    Ok(missing)
}
