;; Grows its memory by a page at a time until it is refused, and exits with 3; with 0 when it has
;; 256 MiB.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (if (i32.ge_u (memory.size) (i32.const 4096)) (then (call $exit (i32.const 0))))
      (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then (call $exit (i32.const 3))))
      (br $again))))
