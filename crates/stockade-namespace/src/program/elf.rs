//! What an ELF file says about itself (elf(5)): whether this machine runs it, and its loader.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::PathBuf;

/// The machine this library is compiled for.
pub(super) const NATIVE: &str = if cfg!(target_arch = "aarch64") { "aarch64" } else { "x86-64" };
const NATIVE_MACHINE: u16 = if cfg!(target_arch = "aarch64") { 183 } else { 62 };

const HEADER: usize = 64;
const PROGRAM_HEADER: usize = 56;
const CLASS_64: u8 = 2;
const LITTLE_ENDIAN: u8 = 1;
const TYPE_EXEC: u16 = 2;
const TYPE_DYN: u16 = 3;
const PT_INTERP: u32 = 3;
/// The kernel reads no longer path, and no more headers than fit in 64 KiB.
const MAX_PATH: u64 = 4096;
const MAX_HEADERS: usize = 65536 / PROGRAM_HEADER;

/// What an ELF file turns out to be.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Elf {
    /// Runs here; `loader` is what it asks to be loaded by, unless it is static.
    Native { loader: Option<PathBuf> },
    /// For another kind of machine.
    Foreign(String),
    /// Cut short, inconsistent, or not executable at all.
    Broken,
}

/// Whether a file begins as an ELF file does.
pub(super) fn is_elf(head: &[u8]) -> bool {
    head.starts_with(b"\x7fELF")
}

/// Examines an ELF file; `read_at` gives up to so many bytes at an offset.
///
/// # Errors
/// Those of `read_at`.
pub(super) fn examine<E>(
    mut read_at: impl FnMut(u64, usize) -> Result<Vec<u8>, E>,
) -> Result<Elf, E> {
    let header = read_at(0, HEADER)?;
    let (Some(&class), Some(&order)) = (header.get(4), header.get(5)) else {
        return Ok(Elf::Broken);
    };
    let Some(machine) = u16_at(&header, 18) else { return Ok(Elf::Broken) };
    if class != CLASS_64 || order != LITTLE_ENDIAN || machine != NATIVE_MACHINE {
        return Ok(Elf::Foreign(machine_name(class, order, machine)));
    }
    let fields =
        (u16_at(&header, 16), u64_at(&header, 32), u16_at(&header, 54), u16_at(&header, 56));
    let (Some(kind), Some(offset), Some(size), Some(count)) = fields else {
        return Ok(Elf::Broken);
    };
    let (size, count) = (usize::from(size), usize::from(count));
    let kind_ok = kind == TYPE_EXEC || kind == TYPE_DYN;
    if !kind_ok || size != PROGRAM_HEADER || count == 0 || count > MAX_HEADERS {
        return Ok(Elf::Broken);
    }
    let table = read_at(offset, size * count)?;
    if table.len() != size * count {
        return Ok(Elf::Broken);
    }
    let Some(entry) = table.chunks_exact(size).find(|e| u32_at(e, 0) == Some(PT_INTERP)) else {
        return Ok(Elf::Native { loader: None });
    };
    let (Some(offset), Some(len @ 2..=MAX_PATH)) = (u64_at(entry, 8), u64_at(entry, 32)) else {
        return Ok(Elf::Broken);
    };
    let len = usize::try_from(len).unwrap_or(usize::MAX);
    let mut path = read_at(offset, len)?;
    if path.len() != len || path.pop() != Some(0) {
        return Ok(Elf::Broken);
    }
    path.truncate(path.iter().position(|&byte| byte == 0).unwrap_or(path.len()));
    Ok(Elf::Native { loader: Some(OsString::from_vec(path).into()) })
}

fn machine_name(class: u8, order: u8, machine: u16) -> String {
    let machine = if order == LITTLE_ENDIAN { machine } else { machine.swap_bytes() };
    let name = match machine {
        3 => "x86",
        8 => "MIPS",
        20 | 21 => "PowerPC",
        22 => "S/390",
        40 => "ARM",
        62 => "x86-64",
        183 => "aarch64",
        243 => "RISC-V",
        258 => "LoongArch",
        other => return format!("machine number {other}"),
    };
    let bits = if class == CLASS_64 { 64 } else { 32 };
    format!("{name} ({bits}-bit)")
}

fn u16_at(bytes: &[u8], at: usize) -> Option<u16> {
    bytes.get(at..)?.first_chunk().map(|chunk| u16::from_le_bytes(*chunk))
}

fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    bytes.get(at..)?.first_chunk().map(|chunk| u32::from_le_bytes(*chunk))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    bytes.get(at..)?.first_chunk().map(|chunk| u64::from_le_bytes(*chunk))
}
