;; Calls itself two thousand million times; a hundred times if it is given an argument.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func $down (param $left i32) (result i32)
    (if (result i32) (local.get $left)
      (then (i32.add (i32.const 1) (call $down (i32.sub (local.get $left) (i32.const 1)))))
      (else (i32.const 0))))
  (func (export "_start")
    (drop (call $arguments (i32.const 0) (i32.const 4)))
    (drop (call $down
      (select (i32.const 100) (i32.const 2000000000)
        (i32.gt_u (i32.load (i32.const 0)) (i32.const 1)))))))
