//! Looks for addresses of the kernel and of the machine's memory.

use crate::kit::{self, Args, Errno, O_RDONLY, nr};

pub fn attack(_: Args) -> ! {
    let mut text = [0; 4096];
    let mut answer = Errno::ENODATA;
    // How many digits an address has there.
    let places =
        [(b"/proc/kallsyms\0".as_slice(), 16), (b"/proc/modules\0", 16), (b"/proc/iomem\0", 8)];
    for (name, digits) in places {
        match kit::open(name, O_RDONLY).and_then(|fd| kit::read(fd, &mut text)) {
            Ok(len) if addresses(&text[..len], digits) => {
                kit::through(format_args!("addresses of the kernel are told"))
            }
            Ok(_) => {}
            Err(errno) => answer = errno,
        }
    }
    // The frame of its own stack.
    let mut entry = [0_u64];
    let at = text.as_ptr() as usize / 4096 * 8;
    if let Ok(fd) = kit::open(b"/proc/self/pagemap\0", O_RDONLY)
        && kit::call(nr::PREAD64, [fd, entry.as_mut_ptr() as usize, 8, at]) == Ok(8)
        && entry[0] & ((1 << 55) - 1) != 0
    {
        kit::through(format_args!("a place in the machine's memory is told"));
    }
    kit::refused("addresses of the kernel", answer)
}

/// Whether any word is a number of so many digits that is not zero.
fn addresses(text: &[u8], least: usize) -> bool {
    let address = |word: &[u8]| {
        let digits = word.strip_prefix(b"0x").unwrap_or(word);
        let hex = digits.len() >= least && digits.iter().all(u8::is_ascii_hexdigit);
        hex && digits.iter().any(|digit| *digit != b'0')
    };
    text.split(|byte| b" \n-".contains(byte)).any(address)
}
