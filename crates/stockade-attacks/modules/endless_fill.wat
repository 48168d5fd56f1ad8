;; Fills 4 MiB again and again, each time with one instruction.
(module
  (memory (export "memory") 64)
  (func (export "_start")
    (loop $again
      (memory.fill (i32.const 0) (i32.const 1) (i32.const 0x400000))
      (br $again))))
