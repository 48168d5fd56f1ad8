//! Handlers of signals, of which some traps are made.
//!
//! The engine installs its handlers once, when the first one is made, and they pass on what is not
//! theirs. A host that installs its own later, as Python's `faulthandler` does, would get the signals
//! of guests first, and take each for a crash of the process. So before a guest runs it is looked
//! whether the handler is still the engine's; if not, one is put in front that gives a signal to the
//! engine on a thread where a guest runs, and to the other handler anywhere else.
#![allow(unsafe_code, reason = "handlers of signals have no safe interface")]

use std::mem::MaybeUninit;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};
use std::sync::{Mutex, OnceLock, PoisonError};

use libc::{c_int, c_void, pthread_key_t, sigaction, siginfo_t, sigset_t};

/// The signals that the engine makes traps of.
const SIGNALS: [c_int; 4] = [libc::SIGSEGV, libc::SIGBUS, libc::SIGILL, libc::SIGFPE];

/// What the engine installed, and how a thread is marked on which a guest runs.
struct Installed {
    engine: [sigaction; SIGNALS.len()],
    /// A key of the C library's, because a handler may look at it: that allocates nothing. Without one
    /// it is as if nobody else installed handlers.
    guest: Option<pthread_key_t>,
}

static INSTALLED: OnceLock<Installed> = OnceLock::new();
/// The handlers that were installed after the engine's. Never freed: a signal may be on its way.
static OTHERS: [AtomicPtr<sigaction>; SIGNALS.len()] =
    [const { AtomicPtr::new(ptr::null_mut()) }; SIGNALS.len()];

/// Remembers the engine's handlers; called when an engine has been made.
pub(crate) fn remember() {
    INSTALLED.get_or_init(|| {
        let mut key = 0;
        // SAFETY: the key is written to a variable of its type, and no destructor is given.
        let failed = unsafe { libc::pthread_key_create(&raw mut key, None) };
        Installed { engine: SIGNALS.map(current), guest: (failed == 0).then_some(key) }
    });
}

/// While this is held, threads are made that the host's signals are not given to. What a guest's own
/// instruction causes is let through: blocked, it would end the process.
pub(crate) struct LeftToTheHost {
    old: sigset_t,
}

impl LeftToTheHost {
    pub(crate) fn hold() -> Self {
        let mut set = MaybeUninit::uninit();
        let mut old = MaybeUninit::zeroed();
        // SAFETY: the set is written before it is read and passed on, and the signals are some; the old
        // mask is written to a place of its type, and zeros are one, should the call fail, which it cannot.
        unsafe {
            libc::sigfillset(set.as_mut_ptr());
            for signal in SIGNALS {
                libc::sigdelset(set.as_mut_ptr(), signal);
            }
            libc::pthread_sigmask(libc::SIG_BLOCK, set.as_ptr(), old.as_mut_ptr());
            Self { old: old.assume_init() }
        }
    }
}

impl Drop for LeftToTheHost {
    fn drop(&mut self) {
        // SAFETY: the mask was written by the C library, and that of now is not asked for.
        unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, &raw const self.old, ptr::null_mut()) };
    }
}

/// The action for a signal.
fn current(signal: c_int) -> sigaction {
    let mut action = MaybeUninit::zeroed();
    // SAFETY: no new action is given, and the old one is written to a place of its type; zeros are
    // a valid `sigaction`, should the call fail, which for these signals it cannot.
    unsafe {
        sigaction(signal, ptr::null(), action.as_mut_ptr());
        action.assume_init()
    }
}

/// Marks this thread as one on which a guest runs, until it is dropped.
pub(crate) struct InGuest {
    was: *mut c_void,
}

impl InGuest {
    /// Sees to it that a guest's signals reach the engine.
    pub(crate) fn enter() -> Self {
        if let Some(installed) = INSTALLED.get().filter(|installed| installed.guest.is_some()) {
            let now = current(libc::SIGSEGV).sa_sigaction;
            if now != installed.engine[0].sa_sigaction && now != dispatcher() {
                step_in_front(installed);
            }
        }
        Self::mark(MARK)
    }

    /// For the time of a call into the host, whose crashes are its own.
    pub(crate) fn leave() -> Self {
        Self::mark(ptr::null())
    }

    fn mark(mark: *const c_void) -> Self {
        let Some(key) = key() else { return Self { was: ptr::null_mut() } };
        // SAFETY: the key was made by `remember`; its values are never dereferenced.
        unsafe {
            let was = libc::pthread_getspecific(key);
            libc::pthread_setspecific(key, mark);
            Self { was }
        }
    }
}

impl Drop for InGuest {
    fn drop(&mut self) {
        if let Some(key) = key() {
            // SAFETY: as in `mark`.
            unsafe { libc::pthread_setspecific(key, self.was) };
        }
    }
}

/// What a thread's key holds while a guest runs on it.
const MARK: *const c_void = (&raw const INSTALLED).cast();

fn key() -> Option<pthread_key_t> {
    INSTALLED.get()?.guest
}

fn dispatcher() -> usize {
    dispatch as *const () as usize
}

/// Puts a handler in front of those that were installed after the engine's.
fn step_in_front(installed: &Installed) {
    static TURN: Mutex<()> = Mutex::new(());
    let _one_at_a_time = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    for (place, signal) in SIGNALS.into_iter().enumerate() {
        let now = current(signal);
        let known = [installed.engine[place].sa_sigaction, dispatcher()];
        if known.contains(&now.sa_sigaction) {
            continue;
        }
        let last = OTHERS[place].load(Ordering::Acquire);
        // SAFETY: what is in `OTHERS` is null or was leaked below.
        let same = unsafe { last.as_ref() }.is_some_and(|last| {
            last.sa_sigaction == now.sa_sigaction && last.sa_flags == now.sa_flags
        });
        if !same {
            OTHERS[place].store(Box::into_raw(Box::new(now)), Ordering::Release);
        }
        let mut action = installed.engine[place];
        action.sa_sigaction = dispatcher();
        // The engine's flags: on the alternate stack, with the whole of what is known, and open for
        // the same signal again.
        // SAFETY: `dispatch` is a handler of the kind that SA_SIGINFO says, and calls only what a
        // handler may.
        unsafe { sigaction(signal, &raw const action, ptr::null_mut()) };
    }
}

/// Gives a signal to whom it belongs.
extern "C" fn dispatch(signal: c_int, info: *mut siginfo_t, context: *mut c_void) {
    let place = SIGNALS.iter().position(|known| *known == signal);
    let (Some(place), Some(installed)) = (place, INSTALLED.get()) else { return };
    // SAFETY: the key was made before this handler was installed; reading it allocates nothing.
    let mark = installed.guest.map(|key| unsafe { libc::pthread_getspecific(key) });
    let in_guest = mark == Some(MARK.cast_mut());
    let other = OTHERS[place].load(Ordering::Acquire);
    // SAFETY: `step_in_front` stored an action, which is never freed, before it installed this
    // handler.
    let action = if in_guest { &installed.engine[place] } else { unsafe { &*other } };
    match action.sa_sigaction {
        libc::SIG_DFL | libc::SIG_IGN => {
            let mut default = installed.engine[place];
            default.sa_sigaction = libc::SIG_DFL;
            default.sa_flags = 0;
            // The instruction fails again when this returns, and the process ends as it would have.
            // SAFETY: the action is complete and has no handler.
            unsafe { sigaction(signal, &raw const default, ptr::null_mut()) };
        }
        handler if action.sa_flags & libc::SA_SIGINFO != 0 => {
            type Handler = extern "C" fn(c_int, *mut siginfo_t, *mut c_void);
            // SAFETY: a handler that was installed with SA_SIGINFO is of this type.
            let handler = unsafe { std::mem::transmute::<usize, Handler>(handler) };
            handler(signal, info, context);
        }
        handler => {
            // SAFETY: a handler that was installed without SA_SIGINFO is of this type.
            let handler = unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(handler) };
            handler(signal);
        }
    }
}
