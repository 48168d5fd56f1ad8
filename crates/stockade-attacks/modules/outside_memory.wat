;; Prints the 64 KiB that come after its memory; after its first page if it is given an argument,
;; when it has two of them.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; One part, which begins at the last byte of the page.
  (data (i32.const 16) "\ff\ff\00\00\00\00\01\00")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start")
    (call $check (call $arguments (i32.const 0) (i32.const 4)))
    (if (i32.gt_u (i32.load (i32.const 0)) (i32.const 1))
      (then (drop (memory.grow (i32.const 1)))))
    (call $check (call $write (i32.const 1) (i32.const 16) (i32.const 1) (i32.const 8)))))
