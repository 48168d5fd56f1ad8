//! The two archives that others start from: a disk in memory for a kernel, an image for Docker.

/// A file system for a kernel to begin with, whose one program is `program`: an archive in the format
/// `newc`, see initramfs(7) and `Documentation/driver-api/early-userspace/buffer-format.rst` of Linux.
pub(crate) fn initramfs(program: &[u8]) -> Vec<u8> {
    const DIRECTORY: u32 = 0o040_755;
    const CHARACTERS: u32 = 0o020_600;
    const PROGRAM: u32 = 0o100_755;
    let mut archive = Vec::new();
    entry(&mut archive, "dev", DIRECTORY, (0, 0), &[]);
    entry(&mut archive, "dev/console", CHARACTERS, (5, 1), &[]);
    entry(&mut archive, "init", PROGRAM, (0, 0), program);
    entry(&mut archive, "TRAILER!!!", 0, (0, 0), &[]);
    archive
}

fn entry(archive: &mut Vec<u8>, name: &str, mode: u32, device: (u32, u32), contents: &[u8]) {
    let pad = |archive: &mut Vec<u8>| archive.resize(archive.len().next_multiple_of(4), 0);
    archive.extend(b"070701");
    let inode = archive.len() as u32;
    let (size, name_size) = (contents.len() as u32, name.len() as u32 + 1);
    let numbers = [inode, mode, 1, 0, 0, 0, size, 0, 0, device.0, device.1, name_size, 0];
    for number in numbers {
        archive.extend(format!("{number:08x}").bytes());
    }
    archive.extend(name.bytes());
    archive.push(0);
    pad(archive);
    archive.extend(contents);
    pad(archive);
}

/// An archive as tar(5) has it, in the format `ustar`, with one program.
pub(crate) fn tar(name: &str, program: &[u8]) -> Vec<u8> {
    const BLOCK: usize = 512;
    const CHECKSUM: usize = 148;
    let mut header = [0_u8; BLOCK];
    let mut put =
        |at: usize, text: &str| header[at..at + text.len()].copy_from_slice(text.as_bytes());
    put(0, name);
    put(100, "0000755");
    put(108, "0000000");
    put(116, "0000000");
    put(124, &format!("{:011o}", program.len()));
    put(136, "00000000000");
    put(CHECKSUM, "        ");
    put(156, "0");
    put(257, "ustar");
    put(263, "00");
    let sum: u32 = header.iter().map(|byte| u32::from(*byte)).sum();
    header[CHECKSUM..CHECKSUM + 7].copy_from_slice(format!("{sum:06o}\0").as_bytes());
    let mut archive = header.to_vec();
    archive.extend(program);
    // Two empty blocks end it.
    archive.resize(archive.len().next_multiple_of(BLOCK) + 2 * BLOCK, 0);
    archive
}

#[cfg(test)]
mod tests;
