;; Prints the beginning of an artifact of wasmtime, as its compiler writes it; with an argument a
;; module that does nothing.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write"
    (func $write (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 1)
  ;; Two lists of one part.
  (data (i32.const 0) "\00\01\00\00\40\00\00\00")
  (data (i32.const 8) "\00\02\00\00\24\00\00\00")
  ;; The header of an ELF file of 64 bits, for the system 200, with the flag of a module.
  (data (i32.const 256) "\7fELF\02\01\01\c8")
  (data (i32.const 272) "\01\00\00\00\01\00\00\00")
  (data (i32.const 304) "\01\00\00\00\40\00\00\00\00\00\40\00")
  ;; A type, a function of it, its name `_start`, and its code, which is none.
  (data (i32.const 512)
    "\00asm\01\00\00\00\01\04\01\60\00\00\03\02\01\00\07\0a\01\06_start\00\00\0a\04\01\02\00\0b")
  (func $check (param i32)
    (if (local.get 0) (then (call $exit (i32.add (i32.const 100) (local.get 0))))))
  (func (export "_start")
    (call $check (call $arguments (i32.const 16) (i32.const 20)))
    (call $check
      (call $write (i32.const 1)
        (select (i32.const 8) (i32.const 0) (i32.gt_u (i32.load (i32.const 16)) (i32.const 1)))
        (i32.const 1) (i32.const 24)))))
