//! Programs nobody trusts, as the host looks at them before a run: ELF headers and first lines of
//! scripts.
#![no_main]

use std::convert::Infallible;

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/stockade-namespace/src/program/elf.rs"]
#[allow(dead_code, reason = "what the crate uses and this target does not")]
mod elf;
#[path = "../../crates/stockade-namespace/src/program/script.rs"]
#[allow(dead_code, reason = "what the crate uses and this target does not")]
mod script;

fuzz_target!(|data: &[u8]| {
    let read_at = |offset: u64, len: usize| {
        // The kernel reads no program header and no path that is longer.
        assert!(len <= 64 << 10, "{len} bytes asked for");
        let start = usize::try_from(offset).unwrap_or(usize::MAX).min(data.len());
        Ok::<_, Infallible>(data[start..data.len().min(start + len)].to_vec())
    };
    if elf::is_elf(data)
        && let Ok(elf::Elf::Native { loader: Some(loader) }) = elf::examine(read_at)
    {
        assert!(!loader.as_os_str().as_encoded_bytes().contains(&0));
    }
    if let Some(line) = script::shebang(data) {
        assert!(!line.interpreter.as_os_str().is_empty());
        let _ = line.by_env();
    }
});
