//! Slots: pairs of a user namespace and an empty network namespace, reused by one run after
//! another.
//!
//! Nothing of a former tenant stays in one: when a slot is free, no process is in it; the network
//! namespace is owned by the warden's user namespace, so a tenant never had a capability over it,
//! and its loopback is down; in the user namespace a tenant had no capability either, and the
//! system calls that leave keys behind are refused.

use crate::settle::Home;
use crate::sys::{self, Cloned, Errno, Fd, O_RDONLY, Result};
use crate::text::Text;
use crate::wire::plan::MAX_BINDS;
use crate::wire::request::MAX_RUNS;

/// Most different owners whose files one slot can show as the workload's: what one plan may have, of
/// binds and of its root.
const ID_MAPS: usize = MAX_BINDS + 1;

/// A user and a network namespace, and the ids that belong to them.
#[derive(Clone, Copy)]
pub struct Slot {
    pub taken: bool,
    /// The user namespace; 0 while the slot was never used.
    pub user: Fd,
    /// The empty network namespace; 0 until a run wants one.
    pub net: Fd,
    id_maps: [(u32, u32, Fd); ID_MAPS],
}

/// All slots.
pub struct Slots {
    all: [Slot; MAX_RUNS],
    /// How many have ever been used; those behind have not.
    pub made: usize,
    /// The slot whose network namespace the warden is in, plus one.
    current_net: usize,
}

/// Ids of a slot, as the warden sees them.
pub struct Ids {
    /// Of the sandbox's init.
    pub init: u64,
    /// Of the workload.
    pub work: u64,
}

impl Slots {
    /// The ids of slot `index`. Two per slot from the range; with a short range they repeat.
    pub fn ids(home: &Home, index: usize) -> Ids {
        if home.single_id {
            return Ids { init: 0, work: 0 };
        }
        let pairs = (home.ids / 2).max(1);
        let init = home.first_id + (index as u64 % pairs) * 2;
        Ids { init, work: init + 1 }
    }

    /// A free slot with its user namespace made, and with `net` its network namespace too, which
    /// the warden has then entered.
    pub fn take(&mut self, home: &Home, work_id: u64, net: bool) -> Result<usize> {
        let free = self.all.iter().take(self.made).position(|slot| !slot.taken);
        let index = free.unwrap_or(self.made);
        let slot = self.all.get_mut(index).ok_or(Errno::EAGAIN)?;
        if slot.user == 0 {
            let map = slot_map(home, index, work_id);
            slot.user = user_namespace(home, map.bytes(), map.bytes())?;
        }
        self.made = self.made.max(index + 1);
        if net {
            if slot.net == 0 {
                slot.net = net_namespace(home)?;
                self.current_net = index + 1;
            } else if self.current_net != index + 1 {
                sys::enter_namespace(slot.net, sys::CLONE_NEWNET)?;
                self.current_net = index + 1;
            }
        }
        slot.taken = true;
        Ok(index)
    }

    pub fn release(&mut self, index: usize) {
        if let Some(slot) = self.all.get_mut(index) {
            slot.taken = false;
        }
    }

    pub fn user(&self, index: usize) -> Fd {
        self.all.get(index).map_or(0, |slot| slot.user)
    }

    /// Makes room for the owners of one more run, so that none of its maps is closed under it.
    pub fn make_room(&mut self, index: usize, wanted: usize) {
        let Some(slot) = self.all.get_mut(index) else { return };
        let free = slot.id_maps.iter().filter(|map| map.2 == 0).count();
        if free < wanted {
            for map in slot.id_maps.iter_mut().filter(|map| map.2 != 0) {
                sys::close(map.2);
                map.2 = 0;
            }
        }
    }

    /// A user namespace in which the files of `uid` and `gid` are the slot's workload's.
    pub fn id_map(&mut self, home: &Home, index: usize, uid: u32, gid: u32) -> Result<Fd> {
        let work = Self::ids(home, index).work;
        let slot = self.all.get_mut(index).ok_or(Errno::EINVAL)?;
        if let Some(found) = slot.id_maps.iter().find(|m| m.2 != 0 && m.0 == uid && m.1 == gid) {
            return Ok(found.2);
        }
        let line =
            |id: u32| Text::<48>::new().number(id.into()).push(b" ").number(work).push(b" 1\n");
        let fd = user_namespace(home, line(uid).bytes(), line(gid).bytes())?;
        match slot.id_maps.iter_mut().find(|map| map.2 == 0) {
            Some(map) => *map = (uid, gid, fd),
            None => {
                sys::close(fd);
                return Err(Errno::EPROTO);
            }
        }
        Ok(fd)
    }
}

fn slot_map(home: &Home, index: usize, work_id: u64) -> Text<96> {
    let ids = Slots::ids(home, index);
    let text = Text::new();
    if home.single_id {
        return text.number(work_id).push(b" 0 1\n");
    }
    let text = text.push(b"0 ").number(ids.init).push(b" 1\n");
    text.number(work_id).push(b" ").number(ids.work).push(b" 1\n")
}

/// Makes a user namespace with these maps and gives a descriptor of it.
fn user_namespace(home: &Home, uids: &[u8], gids: &[u8]) -> Result<Fd> {
    let [ours, theirs] = sys::socket_pair()?;
    let cloned = sys::clone(sys::CLONE_NEWUSER, false, None);
    if let Ok(Cloned::Child) = cloned {
        // Close the warden's end first: its closing is what ends this process.
        sys::close(ours);
        // Its files in /proc must belong to the warden's id while the maps are written.
        sys::set_dumpable(true);
        let _ = sys::write(theirs, b"r");
        let _ = sys::read(theirs, &mut [0]);
        sys::exit(0);
    }
    sys::close(theirs);
    let result = cloned.and_then(|cloned| {
        let Cloned::Parent { pid, .. } = cloned else { return Err(Errno::EINVAL) };
        let result = write_maps(home, ours, pid, uids, gids);
        sys::close(ours);
        let _ = sys::reap(pid, true);
        result
    });
    if result.is_err() {
        sys::close(ours);
    }
    result
}

fn write_maps(home: &Home, ready: Fd, pid: i32, uids: &[u8], gids: &[u8]) -> Result<Fd> {
    sys::read(ready, &mut [0])?;
    let file = |name: &[u8]| Text::<64>::new().number(pid as u64).push(b"/").push(name).push(b"\0");
    if home.single_id {
        sys::write_file(home.proc, file(b"setgroups").bytes(), b"deny")?;
    }
    sys::write_file(home.proc, file(b"gid_map").bytes(), gids)?;
    sys::write_file(home.proc, file(b"uid_map").bytes(), uids)?;
    sys::open_at(home.proc, file(b"ns/user").bytes(), O_RDONLY, 0)
}

/// Makes a network namespace, enters it and gives a descriptor of it.
fn net_namespace(home: &Home) -> Result<Fd> {
    sys::unshare(sys::CLONE_NEWNET)?;
    // A kernel may be told to bring loopback up by itself; such a namespace is not empty.
    if sys::loopback(false).unwrap_or(false) {
        return Err(Errno::EBUSY);
    }
    sys::open_at(home.proc, b"self/ns/net\0", O_RDONLY, 0)
}
