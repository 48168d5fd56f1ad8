;; A plugin of functions from bytes to bytes, by the convention of stockade's libraries:
;; `stockade_alloc` makes room, a function takes address and length, and returns both in one i64.
(module
  (memory (export "memory") 1)
  (global $next (mut i32) (i32.const 1024))

  ;; Makes room by taking the next bytes, and more pages where the memory ends.
  (func (export "stockade_alloc") (param $length i32) (result i32)
    (local $at i32)
    (local $missing i32)
    (local.set $at (global.get $next))
    (global.set $next (i32.add (local.get $at) (local.get $length)))
    (local.set $missing
      (i32.sub (i32.shr_u (i32.add (global.get $next) (i32.const 65535)) (i32.const 16)) (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (drop (memory.grow (local.get $missing)))))
    (local.get $at))

  ;; What was given is free again once the result was read: a call leaves nothing.
  (func (export "stockade_free") (param i32 i32)
    (global.set $next (i32.const 1024)))

  ;; Letters of ASCII, thirteen places on.
  (func (export "rot13") (param $at i32) (param $length i32) (result i64)
    (local $end i32)
    (local $here i32)
    (local $letter i32)
    (local.set $here (local.get $at))
    (local.set $end (i32.add (local.get $at) (local.get $length)))
    (block $done
      (loop $each
        (br_if $done (i32.ge_u (local.get $here) (local.get $end)))
        (local.set $letter
          (i32.sub (i32.and (i32.load8_u (local.get $here)) (i32.const 0xdf)) (i32.const 65)))
        (if (i32.lt_u (local.get $letter) (i32.const 26))
          (then
            (i32.store8 (local.get $here)
              (i32.add (i32.load8_u (local.get $here))
                (select (i32.const 13) (i32.const -13)
                  (i32.lt_u (local.get $letter) (i32.const 13)))))))
        (local.set $here (i32.add (local.get $here) (i32.const 1)))
        (br $each)))
    (call $slice (local.get $at) (local.get $length)))

  ;; A function with a defect: it never ends.
  (func (export "spin") (param i32 i32) (result i64)
    (loop $again (br $again))
    (unreachable))

  (func $slice (param $at i32) (param $length i32) (result i64)
    (i64.or
      (i64.shl (i64.extend_i32_u (local.get $at)) (i64.const 32))
      (i64.extend_i32_u (local.get $length)))))
