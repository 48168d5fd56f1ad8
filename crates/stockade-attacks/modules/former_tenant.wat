;; Looks for what its predecessor left in memory, table and global: exits with 0 if there is
;; anything, with 3 if there is nothing. With one argument it leaves something and does not look,
;; with two it leaves something and looks.
(module
  (import "wasi_snapshot_preview1" "args_sizes_get"
    (func $arguments (param i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "proc_exit" (func $exit (param i32)))
  (memory (export "memory") 64)
  (table $table 1000 funcref)
  (global $global (mut i64) (i64.const 0))
  (elem declare func $leave)
  (func $leave
    (memory.fill (i32.const 64) (i32.const 0x5a) (i32.const 0x3fffc0))
    (global.set $global (i64.const 1))
    (table.fill $table (i32.const 0) (ref.func $leave) (i32.const 1000)))
  (func $look (result i64) (local $at i32) (local $found i64)
    (local.set $found (global.get $global))
    (loop $again
      (if (i32.eqz (ref.is_null (table.get $table (local.get $at))))
        (then (local.set $found (i64.const 1))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 1000))))
    (local.set $at (i32.const 64))
    (loop $again
      (local.set $found (i64.or (local.get $found) (i64.load (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $again (i32.lt_u (local.get $at) (i32.const 0x400000))))
    (local.get $found))
  (func (export "_start") (local $count i32)
    (if (call $arguments (i32.const 0) (i32.const 4)) (then (call $exit (i32.const 1))))
    (local.set $count (i32.load (i32.const 0)))
    (if (i32.gt_u (local.get $count) (i32.const 1)) (then (call $leave)))
    (if (i32.ne (local.get $count) (i32.const 2))
      (then (call $exit
        (select (i32.const 3) (i32.const 0) (i64.eqz (call $look))))))))
