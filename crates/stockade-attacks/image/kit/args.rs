//! [`Args`]: what the program was started with.

use super::failed;

/// Arguments, as the kernel left them on the stack.
#[derive(Clone, Copy)]
pub struct Args {
    count: usize,
    first: *const *const u8,
}

impl Args {
    /// Reads the top of the stack that the program began with.
    pub fn of(stack: *const usize) -> Self {
        // SAFETY: execve(2) leaves the count there, and that many pointers after it.
        unsafe { Self { count: *stack, first: stack.add(1).cast() } }
    }

    /// The argument at `index`, without its final NUL; empty where there is none.
    pub fn get(self, index: usize) -> &'static [u8] {
        let bytes = self.with_nul(index);
        &bytes[..bytes.len() - 1]
    }

    /// The same with its NUL, as calls take paths.
    pub fn with_nul(self, index: usize) -> &'static [u8] {
        if index >= self.count {
            return b"\0";
        }
        // SAFETY: there are `count` pointers to strings that end with NUL and stay for ever.
        unsafe { core::ffi::CStr::from_ptr((*self.first.add(index)).cast()).to_bytes_with_nul() }
    }

    /// The argument at `index` as a decimal number.
    pub fn number(self, index: usize) -> usize {
        let text = core::str::from_utf8(self.get(index)).ok();
        match text.and_then(|text| text.parse().ok()) {
            Some(number) => number,
            None => failed(format_args!("argument {index} is no number")),
        }
    }

    /// The environment, which follows the arguments: `NAME=value` each.
    pub fn environment(self) -> impl Iterator<Item = &'static [u8]> {
        (self.count + 1..).map_while(move |index| {
            // SAFETY: behind the arguments and a null are the variables, and a null again.
            let at = unsafe { *self.first.add(index) };
            if at.is_null() {
                return None;
            }
            // SAFETY: it is a string that ends with NUL and stays for ever.
            Some(unsafe { core::ffi::CStr::from_ptr(at.cast()).to_bytes() })
        })
    }
}
