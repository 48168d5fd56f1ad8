//! Whether the kernel could execute a file of the guest, and all that it needs for it.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use super::error::ProgramError;
use super::{Search, elf, script};
use crate::rootfs::Object;

/// Scripts whose interpreters are scripts; the kernel gives up after a few as well.
const MAX_DEPTH: usize = 4;
const ANY_EXECUTE: u32 = 0o111;

impl Search<'_> {
    /// Checks that the file at a guest path is there and has permission to be executed.
    pub(super) fn runnable(&self, path: &Path) -> Result<(), ProgramError> {
        self.open(path).map(|_| ())
    }

    /// Checks a file and, `depth` scripts down, whatever it needs.
    pub(super) fn check(&self, path: &Path, depth: usize) -> Result<(), ProgramError> {
        let contents = self.open(path)?;
        let path = path.to_owned();
        let read = |offset, len| contents.read_at(offset, len);
        let head = match read(0, script::HEAD) {
            Ok(head) => head,
            Err(source) => return Err(ProgramError::Unreadable { path, source }),
        };
        if matches!(contents, Contents::Sealed) {
            return Ok(());
        }
        if head.starts_with(b"\0asm") {
            return Err(ProgramError::Wasm { path });
        }
        if elf::is_elf(&head) {
            return match elf::examine(read) {
                Ok(elf::Elf::Native { loader: None }) => Ok(()),
                Ok(elf::Elf::Native { loader: Some(loader) }) => self.check_loader(path, loader),
                Ok(elf::Elf::Foreign(found)) => {
                    Err(ProgramError::ForeignElf { path, found, native: elf::NATIVE })
                }
                Ok(elf::Elf::Broken) => Err(ProgramError::BrokenElf { path }),
                Err(source) => Err(ProgramError::Unreadable { path, source }),
            };
        }
        match script::shebang(&head) {
            Some(_) if depth == MAX_DEPTH => Err(ProgramError::InterpreterChain { path }),
            Some(shebang) => self.check_interpreter(&path, &shebang, depth + 1),
            None => Err(ProgramError::Format { path }),
        }
    }

    fn check_loader(&self, program: PathBuf, loader: PathBuf) -> Result<(), ProgramError> {
        let path = Path::new(&self.process.cwd).join(&loader);
        match self.view.resolve(&path) {
            Ok(Object::HostFile(_) | Object::Memory { .. }) => Ok(()),
            Ok(_) => Err(ProgramError::LoaderMissing { program, loader }),
            Err(source) => Err(ProgramError::Unreadable { path, source }),
        }
    }

    fn check_interpreter(
        &self,
        script: &Path,
        shebang: &script::Shebang,
        depth: usize,
    ) -> Result<(), ProgramError> {
        let cwd = Path::new(&self.process.cwd);
        self.check(&cwd.join(&shebang.interpreter), depth)
            .map_err(|error| of_script(script, &shebang.interpreter, error))?;
        let Some(name) = shebang.by_env() else { return Ok(()) };
        self.path_of(name)
            .and_then(|path| self.check(&path, depth))
            .map_err(|error| of_script(script, name, error))
    }

    fn open(&self, path: &Path) -> Result<Contents<'_>, ProgramError> {
        let unreadable = |source| ProgramError::Unreadable { path: path.to_owned(), source };
        match self.view.resolve(path).map_err(unreadable)? {
            Object::HostFile(host) => {
                let contents = Contents::of_host(&host).map_err(unreadable)?;
                contents.ok_or_else(|| ProgramError::NotExecutable { path: path.to_owned() })
            }
            Object::Memory { mode, .. } if mode & ANY_EXECUTE == 0 => {
                Err(ProgramError::NotExecutable { path: path.to_owned() })
            }
            Object::Memory { contents, .. } => Ok(Contents::Memory(contents)),
            Object::HostDir(_) | Object::MemoryDir => {
                Err(ProgramError::Directory { path: path.to_owned() })
            }
            Object::Special => Err(ProgramError::Special { path: path.to_owned() }),
            Object::Missing => Err(ProgramError::NotFound {
                name: path.to_owned(),
                looked_in: None,
                on_host: path.exists(),
            }),
        }
    }
}

/// A missing interpreter is named together with its script; other faults are its own.
fn of_script(script: &Path, interpreter: &Path, error: ProgramError) -> ProgramError {
    let script = script.to_owned();
    match error {
        ProgramError::NotFound { .. } => {
            ProgramError::InterpreterMissing { script, interpreter: interpreter.to_owned() }
        }
        error => ProgramError::Interpreter { script, source: Box::new(error) },
    }
}

/// The bytes of an executable file.
enum Contents<'a> {
    Host(File),
    Memory(&'a [u8]),
    /// May be executed but not read: the kernel will know.
    Sealed,
}

impl Contents<'_> {
    /// `None` if the file has no execute permission for anyone.
    fn of_host(path: &Path) -> io::Result<Option<Self>> {
        // Whatever the path has become by now, opening it neither waits nor follows a link.
        let flags = libc::O_NONBLOCK | libc::O_NOFOLLOW | libc::O_NOCTTY;
        let meta = std::fs::symlink_metadata(path)?;
        if meta.permissions().mode() & ANY_EXECUTE == 0 {
            return Ok(None);
        }
        match OpenOptions::new().read(true).custom_flags(flags).open(path) {
            Ok(file) => Ok(Some(Self::Host(file))),
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(Some(Self::Sealed)),
            Err(error) => Err(error),
        }
    }

    /// Up to `len` bytes at an offset; fewer only at the end.
    fn read_at(&self, offset: u64, len: usize) -> io::Result<Vec<u8>> {
        match self {
            Self::Host(file) => {
                let mut bytes = vec![0; len];
                let mut got = 0;
                while got < len {
                    match file.read_at(&mut bytes[got..], offset.saturating_add(got as u64)) {
                        Ok(0) => break,
                        Ok(more) => got += more,
                        Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                        // An offset that no file has.
                        Err(error) if error.kind() == io::ErrorKind::InvalidInput => break,
                        Err(error) => return Err(error),
                    }
                }
                bytes.truncate(got);
                Ok(bytes)
            }
            Self::Memory(bytes) => {
                let start = usize::try_from(offset).unwrap_or(usize::MAX).min(bytes.len());
                Ok(bytes[start..start.saturating_add(len).min(bytes.len())].to_vec())
            }
            Self::Sealed => Ok(Vec::new()),
        }
    }
}
