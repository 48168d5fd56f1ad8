;; Reads a file of the host by the path that it has there, which is its argument.
(module
  (import "wasi_snapshot_preview1" "args_get" (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $sizes (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; A list of one part, of 256 bytes.
  (data (i32.const 0) "\00\01\00\00\00\01\00\00")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start") (local $path i32)
    ;; The texts lie behind each other from 0x8000 on, each with a NUL.
    (call $check (call $sizes (i32.const 16) (i32.const 20)))
    (call $check (call $arguments (i32.const 64) (i32.const 0x8000)))
    (local.set $path (i32.load (i32.const 68)))
    (call $check
      (call $open (i32.const 3) (i32.const 1) (local.get $path)
        (i32.sub
          (i32.add (i32.const 0x7fff) (i32.load (i32.const 20)))
          (local.get $path))
        (i32.const 0) (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8)))
    (call $check (call $read (i32.load (i32.const 8)) (i32.const 0) (i32.const 1) (i32.const 4)))
    (call $check (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))
