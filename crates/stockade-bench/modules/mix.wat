;; Mixes three million numbers: arithmetic, in a loop of a few dozen instructions.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (local $x i64) (local $i i64)
    (local.set $x (i64.const 1))
    (loop $next
      (local.set $x (i64.add (local.get $x) (local.get $i)))
      (local.set $x (i64.mul (i64.const 0x9e3779b97f4a7c15)
        (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 31)))))
      (local.set $x (i64.mul (i64.const 0xbf58476d1ce4e5b9)
        (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 27)))))
      (local.set $x (i64.mul (i64.const 0x94d049bb133111eb)
        (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 33)))))
      (local.set $x (i64.mul (i64.const 0xff51afd7ed558ccd)
        (i64.xor (local.get $x) (i64.shr_u (local.get $x) (i64.const 17)))))
      (local.set $i (i64.add (local.get $i) (i64.const 1)))
      (br_if $next (i64.lt_u (local.get $i) (i64.const 3000000))))
    (if (i64.ne (local.get $x) (i64.const 0x1aed6f22b0d39d30)) (then unreachable))))
