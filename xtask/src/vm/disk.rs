//! The disk that the virtual machine boots from.

use super::manager;
use crate::test::build::Built;
use crate::{Outcome, command, host};
use std::collections::BTreeSet;
use std::fs::{self, Permissions};
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The first process, which prepares the machine and runs the tests, and what goes on with them
/// under a service manager.
const SCRIPTS: [(&str, &str); 2] =
    [("inside.sh", include_str!("inside.sh")), ("managed.sh", include_str!("managed.sh"))];

/// The test binaries that `inside.sh` runs.
const TESTS: [&str; 4] =
    ["stockade-namespace-it", "stockade-cli-it", "stockade-it", "stockade-runtime-it"];

/// What is there before the tests begin. The rest of the root is links into `/usr`.
const FOLDERS: [&str; 11] =
    ["usr/bin", "usr/lib", "usr/lib64", "dev", "proc", "sys", "tmp", "etc", "run", "root", "tests"];
const LINKS: [(&str, &str); 4] =
    [("bin", "usr/bin"), ("sbin", "usr/bin"), ("lib", "usr/lib"), ("lib64", "usr/lib64")];

/// Fills a folder, and makes a file system of it in a file, whose path is returned.
pub(super) fn make(
    folder: &Path,
    overlay: &Path,
    systemd: &Path,
    built: &Built,
) -> Outcome<PathBuf> {
    let root = folder.join("root");
    let failure = |error| format!("{}: {error}", root.display());
    if root.exists() {
        fs::remove_dir_all(&root).map_err(failure)?;
    }
    for name in FOLDERS {
        fs::create_dir_all(root.join(name)).map_err(failure)?;
    }
    for (link, to) in LINKS {
        symlink(to, root.join(link)).map_err(failure)?;
    }
    manager::copy(systemd, &root)?;
    let tree = Tree(root);
    tree.copy(overlay, "overlay.ko")?;
    SCRIPTS.into_iter().try_for_each(|(name, text)| tree.script(name, text))?;
    let mut programs =
        vec![tree.copy(&command::find("busybox", &[]).ok_or("no busybox")?, "usr/bin/busybox")?];
    for name in TESTS {
        let file = built.rootless.get(name).ok_or(format!("{name} was not built"))?;
        programs.push(tree.copy(file, &format!("tests/{name}"))?);
    }
    let file =
        built.units.as_deref().ok_or("the unit tests of stockade-namespace were not built")?;
    programs.push(tree.copy(file, "tests/stockade-namespace-units")?);
    for (name, file) in [("stockade", &built.cli), ("stockade-oci", &built.oci)] {
        let file = file.as_deref().ok_or(format!("the `{name}` program was not built"))?;
        programs.push(tree.copy(file, &format!("tests/{name}"))?);
    }
    programs.push(tree.python()?);
    tree.libraries(&programs)?;
    tree.pack(&folder.join("disk.ext4"))
}

/// The folder that becomes the machine's root.
struct Tree(PathBuf);

impl Tree {
    fn script(&self, name: &str, text: &str) -> Outcome {
        let file = self.0.join(name);
        let failure = |error| format!("{}: {error}", file.display());
        fs::write(&file, text).map_err(failure)?;
        fs::set_permissions(&file, Permissions::from_mode(0o755)).map_err(failure)
    }

    /// Copies a file, and gives the path of the original.
    fn copy(&self, file: &Path, to: &str) -> Outcome<PathBuf> {
        let copy = self.0.join(to);
        let failure = |error| format!("copying {}: {error}", file.display());
        copy.parent().map_or(Ok(()), fs::create_dir_all).map_err(failure)?;
        fs::copy(file, &copy).map_err(failure)?;
        Ok(file.to_owned())
    }

    /// Copies Python with its library.
    fn python(&self) -> Outcome<PathBuf> {
        let code = "import sysconfig; print(sysconfig.get_path('stdlib'))";
        let library = command::read(Command::new(host::PYTHON).args(["-I", "-c", code]))?;
        let library = library.trim_end();
        let above = Path::new(library).parent().and_then(|above| above.strip_prefix("/").ok());
        let above = self.0.join(above.ok_or(format!("{library} is no folder of Python's"))?);
        fs::create_dir_all(&above).map_err(|error| format!("{}: {error}", above.display()))?;
        command::run(Command::new("cp").args(["-RP", library]).arg(above))?;
        self.copy(Path::new(host::PYTHON), &host::PYTHON[1..])
    }

    /// Copies what the programs are linked with to where it is on this machine.
    fn libraries(&self, programs: &[PathBuf]) -> Outcome {
        let mut all = BTreeSet::new();
        for program in programs {
            let text = Command::new("ldd").arg(program).output();
            let text = text.map_err(|error| format!("cannot run `ldd`: {error}"))?;
            // It fails for a static program, which needs nothing.
            all.extend(libraries(&String::from_utf8_lossy(&text.stdout)));
        }
        for library in all {
            self.copy(&library, library.to_string_lossy().trim_start_matches('/'))?;
        }
        Ok(())
    }

    /// ext4, which can be mounted with mapped ids; there is room for what the tests write.
    fn pack(&self, disk: &Path) -> Outcome<PathBuf> {
        // Its pages are clean: nothing of the last run is left.
        let _ = fs::remove_file(disk);
        let mut pack = Command::new(mkfs().ok_or("no mkfs.ext4")?);
        pack.args(["-q", "-F", "-O", "^has_journal", "-d"]).arg(&self.0).arg(disk).arg("2G");
        command::run(&mut pack)?;
        fs::remove_dir_all(&self.0).map_err(|error| format!("{}: {error}", self.0.display()))?;
        Ok(disk.to_owned())
    }
}

/// The program that makes the file system; an ordinary user's `PATH` may lack its folder.
pub(crate) fn mkfs() -> Option<PathBuf> {
    command::find("mkfs.ext4", &["/usr/sbin".into(), "/sbin".into()])
}

/// The files in the output of ldd(1), the loader among them.
pub(super) fn libraries(text: &str) -> Vec<PathBuf> {
    let path = |line: &str| {
        let line = line.trim();
        let path = line.split_once(" => ").map_or(line, |(_, path)| path);
        let path = path.split_once(" (").map_or(path, |(path, _)| path);
        path.starts_with('/').then(|| PathBuf::from(path))
    };
    text.lines().filter_map(path).collect()
}
