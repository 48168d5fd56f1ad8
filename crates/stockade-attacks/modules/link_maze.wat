;; Makes 20 links, each of which leads through the one before it twice, and opens the last: on the
;; way there are a million. With an argument it makes two.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_symlink"
    (func $link (param i32 i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; The first leads to where it is; the next ones' letters are written over.
  (data (i32.const 64) ".")
  (data (i32.const 80) "a/../tmp/a")
  (data (i32.const 96) "/tmp/a")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start") (local $name i32) (local $last i32)
    (call $check (call $arguments (i32.const 0) (i32.const 4)))
    (local.set $last
      (i32.add (i32.const 97)
        (select (i32.const 2) (i32.const 20)
          (i32.gt_u (i32.load (i32.const 0)) (i32.const 1)))))
    (local.set $name (i32.const 97))
    (call $check
      (call $link (i32.const 64) (i32.const 1) (i32.const 3) (i32.const 96) (i32.const 6)))
    (loop $again
      (i32.store8 (i32.const 80) (local.get $name))
      (i32.store8 (i32.const 89) (local.get $name))
      (local.set $name (i32.add (local.get $name) (i32.const 1)))
      (i32.store8 (i32.const 101) (local.get $name))
      (call $check
        (call $link (i32.const 80) (i32.const 10) (i32.const 3) (i32.const 96) (i32.const 6)))
      (br_if $again (i32.lt_u (local.get $name) (local.get $last))))
    (call $check
      (call $open (i32.const 3) (i32.const 1) (i32.const 96) (i32.const 6) (i32.const 2)
        (i64.const 0) (i64.const 0) (i32.const 0) (i32.const 0)))))
