//! keyctl(2): the session keyring.

use std::ffi::CStr;

use rustix::io::Errno;

/// Makes a keyring of the name, or joins the one that is there, and makes it this thread's session
/// keyring. Gives its serial.
pub(crate) fn join_session(name: &CStr) -> Result<i32, Errno> {
    // SAFETY: the name is a string that ends with a zero and outlives the call; nothing is written.
    let serial = unsafe {
        libc::syscall(libc::SYS_keyctl, libc::KEYCTL_JOIN_SESSION_KEYRING, name.as_ptr())
    };
    i32::try_from(super::process::check(serial)?).map_err(|_| Errno::OVERFLOW)
}

/// The permissions of a key, as KEY_USR_* of linux/keyctl.h.
pub(crate) fn permissions(serial: i32) -> Result<u32, Errno> {
    let mut text = [0_u8; 512];
    // SAFETY: the buffer is as long as it is said to be, and the kernel writes no further.
    let length = unsafe {
        libc::syscall(
            libc::SYS_keyctl,
            libc::KEYCTL_DESCRIBE,
            serial,
            text.as_mut_ptr(),
            text.len(),
        )
    };
    super::process::check(length)?;
    // type;uid;gid;permissions;description
    let field = text.split(|&byte| byte == b';').nth(3).unwrap_or_default();
    let field = std::str::from_utf8(field).map_err(|_| Errno::INVAL)?;
    u32::from_str_radix(field, 16).map_err(|_| Errno::INVAL)
}

/// Sets the permissions of a key.
pub(crate) fn set_permissions(serial: i32, permissions: u32) -> Result<(), Errno> {
    // SAFETY: only numbers are passed.
    let done =
        unsafe { libc::syscall(libc::SYS_keyctl, libc::KEYCTL_SETPERM, serial, permissions) };
    super::process::check(done).map(drop)
}
