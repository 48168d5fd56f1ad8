;; Sets the times of a file that it may only read to the beginning of time.
(module
  (import "wasi_snapshot_preview1" "path_filestat_set_times"
    (func $touch (param i32 i32 i32 i32 i64 i64 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "/data/kept/file")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start")
    ;; The flags 1 and 4 set both times to the ones given.
    (call $check
      (call $touch (i32.const 3) (i32.const 0) (i32.const 64) (i32.const 15)
        (i64.const 0) (i64.const 0) (i32.const 5)))))
