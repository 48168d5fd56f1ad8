use wasmtime::{Engine, Instance, Module, Store};

use super::Limiter;

/// How many instances of this module one store takes where there is no pool.
fn instances(text: &str) -> usize {
    let engine = Engine::default();
    let bytes = wat::parse_str(text).expect("well written");
    let module = Module::from_binary(&engine, &bytes).expect("valid");
    let mut store = Store::new(&engine, Limiter::new(None));
    store.limiter(|limiter| limiter);
    (0..1000).take_while(|_| Instance::new(&mut store, &module, &[]).is_ok()).count()
}

#[test]
fn empty_memories_tables_and_instances_are_bounded_too() {
    assert_eq!(instances("(module (memory 0))"), 4);
    assert_eq!(instances("(module (table 0 funcref))"), 32);
    assert_eq!(instances("(module)"), 200);
}
