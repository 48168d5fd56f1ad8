;; Writes a byte to each of 4,096 pages of a file of the host, which so takes 16 MiB.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_pwrite"
    (func $write (param i32 i32 i32 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\40\00\00\00\01\00\00\00")
  (data (i32.const 64) "/data/new")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start") (local $at i64)
    (call $check
      (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 9) (i32.const 1)
        (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 8)))
    (loop $again
      (call $check
        (call $write (i32.load (i32.const 8)) (i32.const 0) (i32.const 1) (local.get $at)
          (i32.const 16)))
      (local.set $at (i64.add (local.get $at) (i64.const 4096)))
      (br_if $again (i64.lt_u (local.get $at) (i64.const 0x1000000))))))
