;; Prints a module of 30 KB that is out of all proportion for a compiler: a function of 20,000
;; variables and 10,000 blocks. With an argument it prints one of ten blocks.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\00\01\00\00")
  ;; Sections: a type, a function of it, its name `_start`, and the code, with room for two sizes.
  (data (i32.const 256)
    "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\07\0a\01\06_start\00\00\0a")
  ;; One function, and in it 20,000 variables of one type.
  (data (i32.const 292) "\01")
  (data (i32.const 298) "\01\a0\9c\01\7f")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  ;; A number in the five bytes that the largest may take.
  (func $number (param $at i32) (param $value i32)
    (i32.store8 (local.get $at) (i32.or (local.get $value) (i32.const 0x80)))
    (i32.store8 offset=1 (local.get $at)
      (i32.or (i32.shr_u (local.get $value) (i32.const 7)) (i32.const 0x80)))
    (i32.store8 offset=2 (local.get $at)
      (i32.or (i32.shr_u (local.get $value) (i32.const 14)) (i32.const 0x80)))
    (i32.store8 offset=3 (local.get $at)
      (i32.or (i32.shr_u (local.get $value) (i32.const 21)) (i32.const 0x80)))
    (i32.store8 offset=4 (local.get $at) (i32.shr_u (local.get $value) (i32.const 28))))
  (func (export "_start") (local $left i32) (local $at i32)
    (call $check (call $arguments (i32.const 8) (i32.const 12)))
    (local.set $left
      (select (i32.const 10) (i32.const 10000) (i32.gt_u (i32.load (i32.const 8)) (i32.const 1))))
    (local.set $at (i32.const 303))
    (loop $again
      ;; block, end
      (i32.store (local.get $at) (i32.const 0x0b4002))
      (local.set $at (i32.add (local.get $at) (i32.const 3)))
      (local.set $left (i32.sub (local.get $left) (i32.const 1)))
      (br_if $again (local.get $left)))
    (i32.store8 (local.get $at) (i32.const 0x0b))
    (local.set $at (i32.add (local.get $at) (i32.const 1)))
    (call $number (i32.const 287) (i32.sub (local.get $at) (i32.const 292)))
    (call $number (i32.const 293) (i32.sub (local.get $at) (i32.const 298)))
    (i32.store (i32.const 4) (i32.sub (local.get $at) (i32.const 256)))
    (call $check (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 12)))))
