//! Starts programs with arguments that take all the room there can be for them.

use crate::kit::{self, Args, Errno, nr, path};

/// The longest argument there can be, its NUL included, and how many of them are used.
const LONGEST: usize = 128 << 10;
const COUNT: usize = 32;
const EACH: usize = LONGEST * COUNT;
const RLIMIT_STACK: usize = 3;

pub fn attack(args: Args) -> ! {
    let total = args.number(2);
    if total == 0 {
        // It is one of those that were started: 0, where it reports, what it holds.
        let _ = kit::write(args.number(3), b"x");
        kit::sleep_ms(10_000);
        kit::exit(0);
    }
    // A quarter of the stack is what arguments may take.
    let stack = [64_u64 << 20; 2];
    let _ = kit::call(nr::PRLIMIT64, [0, RLIMIT_STACK, stack.as_ptr() as usize, 0]);
    let (told, tell) = kit::pipe();
    let text = match kit::map(LONGEST) {
        Ok(text) => text,
        Err(errno) => kit::refused("mmap", errno),
    };
    text[..LONGEST - 1].fill(b'a');
    let number = kit::join(&[kit::decimal(tell).digits()]);
    let mut argv = [text.as_ptr() as usize; 4 + COUNT + 1];
    argv[0] = path(b"attacks\0");
    argv[1] = path(b"argument_bomb\0");
    argv[2] = path(b"0\0");
    argv[3] = path(number.with_nul());
    argv[4 + COUNT] = 0;
    let none = [0_usize];
    for full in 0..total.div_ceil(EACH) {
        match kit::bound_fork() {
            Ok(0) => {
                let exe = path(b"/proc/self/exe\0");
                let exec = [exe, argv.as_ptr() as usize, none.as_ptr() as usize];
                if let Err(Errno(number)) = kit::call(nr::EXECVE, exec) {
                    let _ = kit::write(tell, &[number as u8]);
                }
                kit::exit(1);
            }
            Ok(_) => {}
            Err(errno) => kit::refused("fork", errno),
        }
        let mut answer = [0];
        match kit::read(told, &mut answer) {
            Ok(1) if answer[0] == b'x' => {}
            Ok(1) => kit::refused("execve", Errno(i32::from(answer[0]))),
            _ => kit::failed(format_args!("{full} programs hold their arguments")),
        }
    }
    kit::through(format_args!("{total} bytes are held in arguments"))
}
