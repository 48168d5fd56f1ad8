;; Removes a file that it may only read.
(module
  (import "wasi_snapshot_preview1" "path_unlink_file"
    (func $remove (param i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "/data/kept/file")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start")
    (call $check (call $remove (i32.const 3) (i32.const 64) (i32.const 15)))))
