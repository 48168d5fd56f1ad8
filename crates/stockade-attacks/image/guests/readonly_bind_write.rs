//! Changes a directory that may only be read, in every way there is.

use crate::kit::{
    self, AT_FDCWD, Args, O_CREAT, O_RDONLY, O_RDWR, O_TRUNC, O_WRONLY, join, nr, path,
};

/// Sets the flags of an inode; what differs is whether backups leave it out.
const FS_IOC_SETFLAGS: usize = 0x4008_6602;
static NODUMP: u64 = 0x40;
const AT_REMOVEDIR: usize = 0x200;
const MAP_SHARED: usize = 1;
const READ_WRITE: usize = 3;

pub fn attack(args: Args) -> ! {
    let name = |name: &[u8]| join(&[args.get(2), b"/", name]);
    let (file, new, sub) = (name(b"file"), name(b"new"), name(b"sub"));
    let (file, new, sub) = (file.with_nul(), new.with_nul(), sub.with_nul());
    let (at_file, at_new, at_sub) = (path(file), path(new), path(sub));
    let open = match kit::open(file, O_RDONLY) {
        Ok(fd) => fd,
        Err(errno) => kit::failed(format_args!("the file cannot be read: {errno}")),
    };
    let again = join(&[b"/proc/self/fd/", kit::decimal(open).digits()]);
    let again = again.with_nul();
    let attribute = path(b"user.stockade\0");
    kit::attempt_any(&mut [
        ("open for writing", &mut || kit::open(file, O_WRONLY)),
        ("open for both", &mut || kit::open(file, O_RDWR)),
        ("open to empty it", &mut || kit::open(file, O_RDONLY | O_TRUNC)),
        ("open again by its descriptor", &mut || kit::open(again, O_WRONLY)),
        ("open a new file", &mut || kit::open(new, O_WRONLY | O_CREAT)),
        ("truncate", &mut || kit::call(nr::TRUNCATE, [at_file, 1])),
        ("ftruncate", &mut || kit::call(nr::FTRUNCATE, [open, 1])),
        ("fallocate", &mut || kit::call(nr::FALLOCATE, [open, 0, 0, 8192])),
        ("mmap to write", &mut || kit::call(nr::MMAP, [0, 4096, READ_WRITE, MAP_SHARED, open, 0])),
        ("rename", &mut || kit::call(nr::RENAMEAT2, [AT_FDCWD, at_file, AT_FDCWD, at_new, 0])),
        ("exchange", &mut || kit::call(nr::RENAMEAT2, [AT_FDCWD, at_file, AT_FDCWD, at_sub, 2])),
        ("link", &mut || kit::call(nr::LINKAT, [AT_FDCWD, at_file, AT_FDCWD, at_new, 0])),
        ("symlink", &mut || kit::call(nr::SYMLINKAT, [at_file, AT_FDCWD, at_new])),
        ("mkdir", &mut || kit::call(nr::MKDIRAT, [AT_FDCWD, at_new, 0o755])),
        ("mkfifo", &mut || kit::call(nr::MKNODAT, [AT_FDCWD, at_new, 0o010_644, 0])),
        ("chmod", &mut || kit::call(nr::FCHMODAT, [AT_FDCWD, at_file, 0o777])),
        ("fchmod", &mut || kit::call(nr::FCHMOD, [open, 0o777])),
        ("chown", &mut || kit::call(nr::FCHOWNAT, [AT_FDCWD, at_file, usize::MAX, usize::MAX, 0])),
        ("utimens", &mut || kit::call(nr::UTIMENSAT, [AT_FDCWD, at_file, 0, 0])),
        ("setxattr", &mut || kit::call(nr::SETXATTR, [at_file, attribute, attribute, 4, 0])),
        ("ioctl", &mut || {
            kit::call(nr::IOCTL, [open, FS_IOC_SETFLAGS, &raw const NODUMP as usize])
        }),
        ("rmdir", &mut || kit::call(nr::UNLINKAT, [AT_FDCWD, at_sub, AT_REMOVEDIR])),
        ("unlink", &mut || kit::call(nr::UNLINKAT, [AT_FDCWD, at_file, 0])),
    ])
}
