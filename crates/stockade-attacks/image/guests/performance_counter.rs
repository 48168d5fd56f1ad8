//! Opens a performance counter.

use crate::kit::{self, Args, nr};

pub fn attack(_: Args) -> ! {
    kit::reach("perf_event_open", kit::call(nr::PERF_EVENT_OPEN, [0, 0, usize::MAX, usize::MAX, 0]))
}
