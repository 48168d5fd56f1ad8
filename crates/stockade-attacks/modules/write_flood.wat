;; Writes 16 MiB to a file in memory.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 2)
  ;; A list of one part: the second page.
  (data (i32.const 0) "\00\00\01\00\00\00\01\00")
  (data (i32.const 64) "/tmp/file")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start") (local $left i32)
    (call $check
      (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 9) (i32.const 1)
        (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 8)))
    (local.set $left (i32.const 256))
    (loop $again
      (call $check
        (call $write (i32.load (i32.const 8)) (i32.const 0) (i32.const 1) (i32.const 16)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))))
