;; Sleeps until a date of the wall clock that is as far away as can be said.
(module
  (import "wasi_snapshot_preview1" "poll_oneoff"
    (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  ;; A subscription: userdata, tag 0 (clock), clock 0 (real time), timeout, precision, and the flag
  ;; that makes the timeout a date.
  (data (i32.const 24) "\ff\ff\ff\ff\ff\ff\ff\7f")
  (data (i32.const 40) "\01")
  (func (export "_start")
    (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))))
