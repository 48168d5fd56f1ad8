;; Makes a file of 32 MiB by setting its size, without writing anything.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_filestat_set_size"
    (func $resize (param i32 i64) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "/tmp/file")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start")
    (call $check
      (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 9) (i32.const 1)
        (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
    (call $check (call $resize (i32.load (i32.const 0)) (i64.const 0x2000000)))))
