//! What is run, one static program: `work NAME ARGUMENTS`.
//!
//! `cpu`, `calls` and `reads` print the CPU time they took, in nanoseconds. Without a name it is the
//! first process of a virtual machine, which runs it once more and switches the machine off.
#![no_std]
#![no_main]

use bare::nr;

const AT_FDCWD: usize = -100_isize as usize;
const SIGCHLD: usize = 17;
const STDOUT: usize = 1;
/// CPU time of the calling thread; see clock_gettime(2).
const CLOCK_THREAD_CPUTIME_ID: usize = 3;
/// A page, and how many of them are read while a file is open.
const PAGE: usize = 4096;
const PAGES: usize = 16;
/// See reboot(2): two numbers against accidents, and the order to restart.
const REBOOT: [usize; 3] = [0xfee1_dead, 0x2812_1969, 0x0123_4567];

/// Where it begins.
#[unsafe(no_mangle)]
extern "C" fn bare_main(stack: *const usize) -> ! {
    let args = Args { stack };
    match args.get(1) {
        b"" => boot(),
        b"true" => exit(0),
        b"sleep" => sleep(),
        b"cpu" => timed(|| compute(args.number(2))),
        b"calls" => timed(|| ask(args.number(2))),
        b"reads" => timed(|| read(args.number(2), args.get(3))),
        _ => exit(2),
    }
}

/// Makes any call. There is nothing in this program that a wrong pointer could harm: the kernel
/// answers `EFAULT`, or the program crashes.
fn call<const N: usize>(number: usize, args: [usize; N]) -> isize {
    let mut all = [0; 6];
    all[..N].copy_from_slice(&args);
    // SAFETY: see above; buffers handed in are live while the call lasts.
    unsafe { bare::syscall(number, all) }
}

/// Arguments, as the kernel left them.
struct Args {
    stack: *const usize,
}

impl Args {
    /// The argument at `index`; empty where there is none.
    fn get(&self, index: usize) -> &'static [u8] {
        // SAFETY: execve(2) leaves the count there, and that many pointers to strings after it, which
        // end with NUL and stay for ever.
        unsafe {
            if index >= *self.stack {
                return b"";
            }
            let at = *self.stack.add(1 + index) as *const core::ffi::c_char;
            core::ffi::CStr::from_ptr(at).to_bytes()
        }
    }

    fn number(&self, index: usize) -> usize {
        let text = core::str::from_utf8(self.get(index)).ok();
        text.and_then(|text| text.parse().ok()).unwrap_or_else(|| exit(2))
    }
}

/// Prints the CPU time that `work` took.
fn timed(work: impl FnOnce()) -> ! {
    let begun = cpu_ns();
    work();
    let mut took = cpu_ns() - begun;
    let mut digits = [b'0'; 20];
    let mut at = digits.len();
    while took > 0 || at == digits.len() {
        at -= 1;
        digits[at] = b'0' + (took % 10) as u8;
        took /= 10;
    }
    print(&digits[at..]);
    print(b"\n");
    exit(0)
}

fn cpu_ns() -> u64 {
    let mut time = [0_u64; 2];
    call(nr::CLOCK_GETTIME, [CLOCK_THREAD_CPUTIME_ID, time.as_mut_ptr() as usize]);
    time[0] * 1_000_000_000 + time[1]
}

fn compute(times: usize) {
    let mut x = 1_u64;
    for i in 0..times as u64 {
        x = core::hint::black_box(
            (x ^ (x >> 31)).wrapping_mul(0x9e37_79b9_7f4a_7c15).wrapping_add(i),
        );
    }
}

fn ask(times: usize) {
    for _ in 0..times {
        call(nr::GETPPID, []);
    }
}

/// Opens the file again and again, and reads its first pages; `name` ends with NUL.
fn read(times: usize, name: &'static [u8]) {
    let mut page = [0_u8; PAGE];
    for _ in 0..times {
        let file = call(nr::OPENAT, [AT_FDCWD, name.as_ptr() as usize, 0, 0]);
        let Ok(file) = usize::try_from(file) else { exit(1) };
        for index in 0..PAGES {
            let got = call(nr::PREAD64, [file, page.as_mut_ptr() as usize, PAGE, index * PAGE]);
            if got != PAGE as isize {
                exit(1);
            }
        }
        call(nr::CLOSE, [file]);
    }
}

fn sleep() -> ! {
    loop {
        call(nr::PPOLL, [0, 0, 0, 0, 0]);
    }
}

/// The first process of a virtual machine.
fn boot() -> ! {
    let child = call(nr::CLONE, [SIGCHLD, 0, 0, 0, 0]);
    if child == 0 {
        let argv = [c"/init".as_ptr(), c"true".as_ptr(), core::ptr::null()];
        let environment = [core::ptr::null::<u8>()];
        let (argv, environment) = (argv.as_ptr() as usize, environment.as_ptr() as usize);
        call(nr::EXECVE, [c"/init".as_ptr() as usize, argv, environment]);
        exit(127);
    }
    let mut status = -1_i32;
    call(nr::WAIT4, [child as usize, &raw mut status as usize, 0, 0]);
    if status == 0 {
        print(b"\nthe program ended well\n");
    }
    call(nr::REBOOT, REBOOT);
    sleep()
}

fn print(text: &[u8]) {
    call(nr::WRITE, [STDOUT, text.as_ptr() as usize, text.len()]);
}

fn exit(code: usize) -> ! {
    loop {
        call(nr::EXIT_GROUP, [code]);
    }
}

#[panic_handler]
fn panic(_: &core::panic::PanicInfo<'_>) -> ! {
    exit(101)
}
