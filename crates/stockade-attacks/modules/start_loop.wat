;; Never ends before it has begun: it loops in its start function.
(module
  (func $again (loop $again (br $again)))
  (start $again)
  (func (export "_start")))
