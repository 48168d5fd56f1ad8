;; Reads a file 2,000 times by a path on which somebody swaps a directory for a link that leads out
;; of what it is given. Prints what it read and exits if that begins with `w`; otherwise with 3.
(module
  (import "wasi_snapshot_preview1" "path_open"
    (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_read"
    (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_close" (func $close (param i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; A list of one part, at 256.
  (data (i32.const 0) "\00\01")
  (data (i32.const 64) "/data/place/file")
  (func $try (result i32)
    (if
      (call $open (i32.const 3) (i32.const 1) (i32.const 64) (i32.const 16) (i32.const 0)
        (i64.const 2) (i64.const 0) (i32.const 0) (i32.const 8))
      (then (return (i32.const 0))))
    (i32.store (i32.const 4) (i32.const 256))
    (drop (call $read (i32.load (i32.const 8)) (i32.const 0) (i32.const 1) (i32.const 4)))
    (drop (call $close (i32.load (i32.const 8))))
    (i32.eq (i32.load8_u (i32.const 256)) (i32.const 119)))
  (func (export "_start") (local $left i32)
    (local.set $left (i32.const 2000))
    (loop $again
      (if (call $try)
        (then
          (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))
          (call $exit (i32.const 0))))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (call $exit (i32.const 3))))
