//! Guests, in the text format. Each is a command of WASI preview 1.

/// A guest with every import that guests here use, one page of memory, and this `_start`.
/// A status that is not zero becomes its exit code by `$done`.
pub(crate) fn guest(start: &str) -> String {
    guest_with("(memory (export \"memory\") 1)", "", start)
}

/// The same with these definitions, and this memory.
pub(crate) fn guest_with(memory: &str, definitions: &str, start: &str) -> String {
    format!(
        r#"(module
        (import "wasi_snapshot_preview1" "fd_write"
            (func $write (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_read"
            (func $read (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
        (import "wasi_snapshot_preview1" "poll_oneoff"
            (func $poll (param i32 i32 i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_get" (func $args (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "args_sizes_get"
            (func $args_sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_get" (func $environ (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "environ_sizes_get"
            (func $environ_sizes (param i32 i32) (result i32)))
        (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
        {memory}
        {definitions}
        (func $done (param i32) (if (local.get 0) (then (call $exit (local.get 0)))))
        (func $say (param $fd i32) (param $at i32) (param $len i32) (result i32)
            (i32.store (i32.const 0) (local.get $at))
            (i32.store (i32.const 4) (local.get $len))
            (call $write (local.get $fd) (i32.const 0) (i32.const 1) (i32.const 8)))
        (func (export "_start") {start}))"#
    )
}

/// Prints one line.
pub(crate) const HELLO: &str = r#"(module
    (import "wasi_snapshot_preview1" "fd_write"
        (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 0) "\10\00\00\00\06\00\00\00")
    (data (i32.const 16) "hello\n")
    (func (export "_start")
        (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 8)))))"#;

/// Never ends by itself.
pub(crate) const SPIN: &str = r#"(module (func (export "_start") (loop (br 0))))"#;

/// Never ends before it has begun.
pub(crate) const SPIN_IN_START: &str =
    r#"(module (func $s (loop (br 0))) (start $s) (func (export "_start")))"#;

/// Prints its standard input; ends with the errno of a failed read.
pub(crate) fn cat() -> String {
    guest(
        "(local $errno i32)
        (loop $next
            (i32.store (i32.const 0) (i32.const 1024))
            (i32.store (i32.const 4) (i32.const 32768))
            (local.set $errno (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 8)))
            (call $done (local.get $errno))
            (if (i32.load (i32.const 8)) (then
                (call $done (call $say (i32.const 1) (i32.const 1024) (i32.load (i32.const 8))))
                (br $next))))",
    )
}

/// Sleeps for so many nanoseconds.
pub(crate) fn sleep(nanoseconds: u64) -> String {
    guest(&format!(
        "(i32.store (i32.const 80) (i32.const 1))
        (i64.store (i32.const 88) (i64.const {nanoseconds}))
        (call $done (call $poll (i32.const 64) (i32.const 256) (i32.const 1) (i32.const 512)))"
    ))
}

/// Prints so many bytes on a descriptor, all at once.
pub(crate) fn print(fd: u32, bytes: u32) -> String {
    guest_with(
        "(memory (export \"memory\") 2)",
        "",
        &format!("(call $done (call $say (i32.const {fd}) (i32.const 64) (i32.const {bytes})))"),
    )
}

/// Prints without end.
pub(crate) fn flood() -> String {
    guest("(loop (drop (call $say (i32.const 1) (i32.const 64) (i32.const 60000))) (br 0))")
}
