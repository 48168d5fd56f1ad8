;; Data, as a compiler would make it, and a number that is kept on a page of its own.
(module
  (memory (export "memory") 2)
  (data (i32.const 1024) "numbers are kept below")
  (func (export "count") (result i64)
    (i64.store (i32.const 4096) (i64.add (i64.load (i32.const 4096)) (i64.const 1)))
    (i64.load (i32.const 4096))))
