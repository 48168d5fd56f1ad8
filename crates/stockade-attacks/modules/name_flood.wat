;; Makes 4,096 empty files.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 64) "/tmp/AA")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start") (local $count i32)
    (loop $again
      ;; The two letters of the name are six bits of the number each.
      (i32.store8 (i32.const 69)
        (i32.add (i32.const 48) (i32.shr_u (local.get $count) (i32.const 6))))
      (i32.store8 (i32.const 70)
        (i32.add (i32.const 48) (i32.and (local.get $count) (i32.const 63))))
      (call $check
        (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 7) (i32.const 5)
          (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 0)))
      (call $check (call $close (i32.load (i32.const 0))))
      (local.set $count (i32.add (local.get $count) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $count) (i32.const 4096))))))
