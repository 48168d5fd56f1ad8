;; Asks for 2 GiB of random numbers in one call; for 64 bytes if it is given an argument.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "random_get" (func $random (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start")
    (call $check (call $arguments (i32.const 0) (i32.const 4)))
    (call $check
      (call $random (i32.const 64)
        (select (i32.const 64) (i32.const 0x80000000)
          (i32.gt_u (i32.load (i32.const 0)) (i32.const 1)))))))
