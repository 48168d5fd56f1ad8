;; Grows four tables to 400,000 bytes each, if not refused; then it exits with 3.
(module
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (table $a 0 funcref)
  (table $b 0 funcref)
  (table $c 0 funcref)
  (table $d 0 funcref)
  (func $check (param i32)
    (if (i32.eq (local.get 0) (i32.const -1)) (then (call $exit (i32.const 3)))))
  (func (export "_start")
    (call $check (table.grow $a (ref.null func) (i32.const 50000)))
    (call $check (table.grow $b (ref.null func) (i32.const 50000)))
    (call $check (table.grow $c (ref.null func) (i32.const 50000)))
    (call $check (table.grow $d (ref.null func) (i32.const 50000)))))
