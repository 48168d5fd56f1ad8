//! The memory routines that compiled code calls and that a C library would bring.
//!
//! Written with string instructions or volatile accesses, so that the compiler cannot turn a loop
//! into a call of the very routine it is in.

/// # Safety
/// As C `memcpy`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcpy(dest: *mut u8, src: *const u8, len: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller gives two valid regions of `len` bytes; the direction flag is clear by ABI.
    unsafe {
        core::arch::asm!(
            "rep movsb",
            inout("rcx") len => _, inout("rdi") dest => _, inout("rsi") src => _,
            options(nostack, preserves_flags)
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    for i in 0..len {
        // SAFETY: the caller gives two valid regions of `len` bytes.
        unsafe { dest.add(i).write_volatile(src.add(i).read_volatile()) }
    }
    dest
}

/// # Safety
/// As C `memmove`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memmove(dest: *mut u8, src: *const u8, len: usize) -> *mut u8 {
    if (dest as usize).wrapping_sub(src as usize) >= len {
        // SAFETY: a forward copy reads each byte before it is overwritten.
        return unsafe { memcpy(dest, src, len) };
    }
    for i in (0..len).rev() {
        // SAFETY: the caller gives two valid regions of `len` bytes.
        unsafe { dest.add(i).write_volatile(src.add(i).read_volatile()) }
    }
    dest
}

/// # Safety
/// As C `memset`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memset(dest: *mut u8, byte: i32, len: usize) -> *mut u8 {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the caller gives a valid region of `len` bytes; the direction flag is clear by ABI.
    unsafe {
        core::arch::asm!(
            "rep stosb",
            inout("rcx") len => _, inout("rdi") dest => _, in("al") byte as u8,
            options(nostack, preserves_flags)
        );
    }
    #[cfg(not(target_arch = "x86_64"))]
    for i in 0..len {
        // SAFETY: the caller gives a valid region of `len` bytes.
        unsafe { dest.add(i).write_volatile(byte as u8) }
    }
    dest
}

/// # Safety
/// As C `memcmp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn memcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    for i in 0..len {
        // SAFETY: the caller gives two valid regions of `len` bytes.
        let (a, b) = unsafe { (left.add(i).read_volatile(), right.add(i).read_volatile()) };
        if a != b {
            return i32::from(a) - i32::from(b);
        }
    }
    0
}

/// # Safety
/// As BSD `bcmp`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn bcmp(left: *const u8, right: *const u8, len: usize) -> i32 {
    // SAFETY: the caller's promise is the same.
    unsafe { memcmp(left, right, len) }
}

/// # Safety
/// As C `strlen`.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn strlen(text: *const u8) -> usize {
    let mut len = 0;
    // SAFETY: the caller gives a string that ends with NUL, which is not passed.
    while unsafe { text.add(len).read_volatile() } != 0 {
        len += 1;
    }
    len
}

/// Named by `core`'s unwind tables; never called, since the image aborts on panic.
#[unsafe(no_mangle)]
pub extern "C" fn rust_eh_personality() {}

/// What `compiler_builtins` compares the stack with on aarch64, where it was built with a check.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
pub static __stack_chk_guard: usize = 0x5ca1_ab1e_0000_ff0d;

/// Called when the comparison fails.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
pub extern "C" fn __stack_chk_fail() -> ! {
    loop {
        // SAFETY: exit_group(2) takes a number and does not return.
        let _ = unsafe { super::syscall(super::nr::EXIT_GROUP, [71, 0, 0, 0, 0, 0]) };
    }
}

/// Asked by `compiler_builtins` on aarch64 which instructions the CPU has. "None beyond the
/// baseline" is always a right answer.
#[cfg(target_arch = "aarch64")]
#[unsafe(no_mangle)]
pub extern "C" fn getauxval(_: usize) -> usize {
    0
}
