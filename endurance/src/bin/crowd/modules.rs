//! Instances of a module, many of them alive at once.

use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Instant;

use stockade::wasm::{Function, Imports, Instance, Library};
use stockade::{Killer, Policy, Program, Verdict, WasmSandbox};
use stockade_endurance::{Failure, Random, Watchdog};

use super::natives::joined;
use super::{Wanted, share};

/// A module that keeps a number on a page of its memory.
const COUNTER: &str = r#"(module
    (memory (export "memory") 2)
    (func (export "count") (result i64)
        (i64.store (i32.const 4096) (i64.add (i64.load (i32.const 4096)) (i64.const 1)))
        (i64.load (i32.const 4096))))"#;

/// What all threads use.
struct Shared<'a> {
    library: &'a Library,
    count: &'a Function<(), i64>,
    killers: Mutex<Vec<Arc<dyn Killer>>>,
}

/// Makes `count` instances from many threads; then has every thread kill some of others, call its
/// own once more and drop them.
pub(crate) fn crowd(
    sandbox: &WasmSandbox,
    count: u64,
    wanted: &Wanted,
    dog: &Watchdog,
) -> Result<(), Failure> {
    let module = Program::module(wat::parse_str(COUNTER)?);
    let library = sandbox.library(&Policy::default(), &module, &Imports::new())?;
    let function = library.function::<(), i64>("count")?;
    let shared = Shared { library: &library, count: &function, killers: Mutex::default() };
    let begun = Instant::now();
    let crowds = thread::scope(|scope| {
        let shared = &shared;
        let threads: Vec<_> = (0..wanted.threads)
            .map(|number| {
                let (seat, mine) = (dog.seat(), share(count, wanted.threads, number));
                scope.spawn(move || -> Result<Vec<Instance>, Failure> {
                    (0..mine).map(|_| seat.watched("an instance", || shared.make())).collect()
                })
            })
            .collect();
        joined(threads)
    })?;
    println!("{count} instances alive after {:.1} s", begun.elapsed().as_secs_f64());

    let begun = Instant::now();
    let ended = thread::scope(|scope| {
        let shared = &shared;
        let threads: Vec<_> = (0..)
            .zip(crowds)
            .map(|(number, mine)| {
                let (seat, random) = (dog.seat(), Random::new(wanted.seed, number));
                scope.spawn(move || seat.watched("ending instances", || shared.end(mine, random)))
            })
            .collect();
        joined(threads)
    })?;
    let [counted, killed] =
        ended.iter().fold([0, 0], |sum, one| [sum[0] + one[0], sum[1] + one[1]]);
    let took = begun.elapsed().as_secs_f64();
    println!(
        "{counted} counted once more, {killed} were killed before; all dropped in {took:.1} s"
    );
    Ok(())
}

impl Shared<'_> {
    fn make(&self) -> Result<Instance, Failure> {
        let mut one = self.library.instantiate()?;
        let outcome = one.call(self.count, ())?;
        if outcome.clone().returned() != Some(1) {
            return Err(format!("a new instance: {outcome:?}").into());
        }
        let killer = one.killer();
        self.killers.lock().unwrap_or_else(PoisonError::into_inner).push(killer);
        Ok(one)
    }

    /// Ends the instances of one thread; gives how many counted, and how many had been killed.
    fn end(&self, mine: Vec<Instance>, mut random: Random) -> Result<[u64; 2], Failure> {
        let mut ended = [0; 2];
        for mut one in mine {
            if random.below(3) == 0 {
                let killer = {
                    let mut killers = self.killers.lock().unwrap_or_else(PoisonError::into_inner);
                    let at = random.below(killers.len() as u64) as usize;
                    (!killers.is_empty()).then(|| killers.swap_remove(at))
                };
                if let Some(killer) = killer {
                    killer.kill();
                }
            }
            let outcome = one.call(self.count, ())?;
            match (outcome.verdict(), outcome.clone().returned()) {
                (None, Some(2)) => ended[0] += 1,
                (Some(Verdict::Cancelled), None) => ended[1] += 1,
                _ => return Err(format!("an instance called again: {outcome:?}").into()),
            }
        }
        Ok(ended)
    }
}
