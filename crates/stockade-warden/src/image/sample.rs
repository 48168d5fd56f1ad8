//! Looking at a sandbox's processes through `/proc`, where no cgroup counts for us.

use crate::settle::Home;
use crate::sys::{self, Fd, O_DIRECTORY, O_RDONLY};
use crate::text::{self, Text};

/// Most processes looked at in one sample.
const MAX_PROCESSES: usize = 2048;
/// `USER_HZ` is 100 on every architecture there is an image for.
const TICK_NS: u64 = 10_000_000;

/// Sums over all processes of a sandbox, its init not among them; CPU times with those of the
/// processes that were waited for, by init too.
#[derive(Default)]
pub struct Sample {
    /// Bytes that the processes hold, their page tables included.
    pub held: u64,
    pub processes: u64,
    pub tasks: u64,
    pub user_ns: u64,
    pub system_ns: u64,
}

/// How the memory of several processes is summed up.
#[derive(Clone, Copy)]
pub enum Sum {
    /// What each has resident. A page that several share counts for each, so that the sum is never
    /// too small.
    Resident,
    /// Shared pages are divided among those that share them. This walks every page table, 15 ms for
    /// a GiB of small pages; once the sum is larger than this bound, the rest is left out, and what
    /// is beyond [`MOST_WALKED`] is not divided.
    Proportional(u64),
}

/// How many times the bound is walked: whoever has more resident could grow unseen meanwhile.
const MOST_WALKED: u64 = 8;
/// Walking a table that maps next to nothing takes as long as walking this many resident pages.
const TABLE_WEIGHT: u64 = 20;

/// Looks at every process below `init`.
pub fn take(home: &Home, init: i32, sum: Sum) -> Sample {
    let mut sample = Sample::default();
    let mut queue = [0i32; MAX_PROCESSES];
    queue[0] = init;
    let (mut next, mut end) = (0, 1);
    let mut budget = match sum {
        Sum::Resident => 0,
        Sum::Proportional(bound) => bound.saturating_mul(MOST_WALKED),
    };
    while next < end {
        let pid = queue[next];
        next += 1;
        children(home, pid, &mut queue, &mut end);
        let stat = stat(home, pid);
        sample.user_ns += stat.waited[0];
        sample.system_ns += stat.waited[1];
        if pid != init {
            sample.user_ns += stat.own[0];
            sample.system_ns += stat.own[1];
            sample.tasks += stat.tasks;
            sample.processes += 1;
            match sum {
                Sum::Proportional(bound) if sample.held > bound => {}
                _ => sample.held += held(home, pid, &mut budget),
            }
        }
    }
    sample
}

/// The main process of a sandbox: the first child of its init.
pub fn main_process(home: &Home, init: i32) -> Option<i32> {
    let mut buffer = [0u8; 32];
    let number = init as u64;
    let path = Text::<64>::new().number(number).push(b"/task/").number(number).push(b"/children\0");
    let text = sys::read_file(home.proc, path.bytes(), &mut buffer).ok()?;
    text::number(text).map(|pid| pid as i32)
}

/// Open descriptors of a process.
pub fn open_files(home: &Home, pid: i32) -> u64 {
    let path = Text::<32>::new().number(pid as u64).push(b"/fd\0");
    let size = sys::stat_at(home.proc, path.bytes()).map_or(0, |stat| stat.size);
    if size != 0 {
        return size;
    }
    // Before Linux 6.2 the size says nothing.
    let mut count = 0;
    each_number(home, path.bytes(), |_, _| count += 1);
    count
}

fn children(home: &Home, pid: i32, queue: &mut [i32], end: &mut usize) {
    let path = Text::<32>::new().number(pid as u64).push(b"/task\0");
    each_number(home, path.bytes(), |dir, task| children_of_task(dir, task, queue, end));
}

/// Gives every entry of a directory whose name is a number.
fn each_number(home: &Home, path: &[u8], mut take: impl FnMut(Fd, u64)) {
    let Ok(dir) = sys::open_at(home.proc, path, O_RDONLY | O_DIRECTORY, 0) else { return };
    let mut entries = [0u8; 4096];
    while let Ok(len @ 1..) = sys::list_dir(dir, &mut entries) {
        let mut at = 0;
        while let Some(size) = entries.get(at + 16..at + 18) {
            let size = usize::from(u16::from_ne_bytes([size[0], size[1]]));
            if size == 0 || at >= len {
                break;
            }
            if let Some(number) = entries.get(at + 19..len).and_then(text::number) {
                take(dir, number);
            }
            at += size;
        }
    }
    sys::close(dir);
}

fn children_of_task(dir: Fd, task: u64, queue: &mut [i32], end: &mut usize) {
    let path = Text::<40>::new().number(task).push(b"/children\0");
    let mut buffer = [0u8; 32 << 10];
    let Ok(list) = sys::read_file(dir, path.bytes(), &mut buffer) else { return };
    for pid in list.split(|byte| *byte == b' ').filter_map(text::number) {
        if let Some(place) = queue.get_mut(*end) {
            *place = pid as i32;
            *end += 1;
        }
    }
}

/// What `/proc/PID/stat` tells; see proc_pid_stat(5).
#[derive(Default)]
struct Stat {
    /// User and system time in nanoseconds.
    own: [u64; 2],
    /// The same of children that were waited for.
    waited: [u64; 2],
    tasks: u64,
}

/// Zeros for a process that is gone.
fn stat(home: &Home, pid: i32) -> Stat {
    let mut buffer = [0u8; 1024];
    let path = Text::<48>::new().number(pid as u64).push(b"/stat\0");
    let Ok(text) = sys::read_file(home.proc, path.bytes(), &mut buffer) else {
        return Stat::default();
    };
    // The name may hold anything; what follows its last parenthesis is numbers.
    let behind = text.iter().rposition(|byte| *byte == b')').map_or(0, |at| at + 2);
    let mut fields = text.get(behind..).unwrap_or(&[]).split(|byte| *byte == b' ').skip(11);
    let mut field = || fields.next().and_then(text::number).unwrap_or(0);
    let own = [field() * TICK_NS, field() * TICK_NS];
    let waited = [field() * TICK_NS, field() * TICK_NS];
    let (_priority, _nice) = (field(), field());
    Stat { own, waited, tasks: field().max(1) }
}

/// What a process holds, its shared pages divided if there is `budget` left to walk its tables.
fn held(home: &Home, pid: i32, budget: &mut u64) -> u64 {
    let mut buffer = [0u8; 4096];
    let file = |name: &[u8]| Text::<48>::new().number(pid as u64).push(name).push(b"\0");
    let Ok(text) = sys::read_file(home.proc, file(b"/status").bytes(), &mut buffer) else {
        return 0;
    };
    let kib = |text: &[u8], key: &[u8]| text::value(text, key).unwrap_or(0);
    // Reading where nothing was written makes page tables and nothing else.
    let (tables, resident) = (kib(text, b"VmPTE"), kib(text, b"VmRSS"));
    let mut held = resident;
    let cost = (resident + tables * TABLE_WEIGHT).saturating_mul(1024);
    if let Some(left) = budget.checked_sub(cost)
        && let Ok(text) = sys::read_file(home.proc, file(b"/smaps_rollup").bytes(), &mut buffer)
    {
        held = text::value(text, b"Pss").unwrap_or(resident);
        *budget = left;
    }
    (held + tables).saturating_mul(1024)
}
