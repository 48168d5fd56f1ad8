;; Waits for 10,000 things in one call of poll_oneoff; for one if it is given an argument.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 16)
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start") (local $count i32)
    (call $check (call $arguments (i32.const 0) (i32.const 4)))
    (local.set $count
      (select (i32.const 1) (i32.const 10000) (i32.gt_u (i32.load (i32.const 0)) (i32.const 1))))
    ;; A subscription of zeros is for no time at all.
    (call $check
      (call $poll (i32.const 16) (i32.const 0x80000) (local.get $count) (i32.const 8)))))
