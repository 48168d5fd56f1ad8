//! What images cost: unpacking one, beside umoci, and starts of one that is kept, beside starts of a
//! plain directory with the same files. Alternating. Needs root, since umoci keeps owners.
//!
//! `cargo build --release -p stockade-cli`, then
//! `cargo run --release -p stockade-benches --bin images -- [--n N] [unpack] [start]`
//!
//! `N` is 10 for `unpack`, and 200 for `start`. The image is made of files of this machine's `/usr/lib`, in
//! the directory for temporary files; `unpack` needs 10 GB there, of which it uses half. The `stockade`
//! command is the one beside this program, or what `STOCKADE_BIN` names.
#![allow(clippy::print_stdout, reason = "a benchmark prints what it measured")]

mod made;
mod start;
mod unpack;

use std::cell::OnceCell;
use std::env;

use made::Made;
use stockade_benches::{Asked, Failure, Machine, Scratch};

fn main() -> Result<(), Failure> {
    let asked = Asked::of(env::args().skip(1))?;
    println!("{}; alternating", Machine::look());
    let scratch = Scratch::new(&env::temp_dir())?;
    let once = OnceCell::new();
    let image = || match once.get() {
        Some(made) => Ok(made),
        None => {
            let made = Made::new(&scratch)?;
            println!("image: {made}");
            Ok(once.get_or_init(|| made))
        }
    };
    let unpack = |rounds| unpack::measure(&image, rounds);
    let start = |rounds| start::measure(&scratch, &image, rounds);
    let outcome = asked.run(&[("unpack", 10, &unpack), ("start", 200, &start)]);
    println!("\n{}", Machine::look());
    outcome
}

/// Makes the image, or gives the one that was made.
type Image<'a> = dyn Fn() -> Result<&'a Made, Failure> + 'a;
