//! Which ids workloads get.

/// Ids that can be given to workloads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum IdRange {
    /// Only the caller's own.
    Single,
    /// A range of ids that belong to nobody, two for each concurrent run.
    Range {
        /// The first.
        first: u32,
        /// How many.
        count: u32,
    },
}

/// Two ids for each run the warden can hold.
const WANTED: u32 = 16_384;

/// Above what distributions, service managers and `/etc/subuid` hand out (systemd's
/// UIDS-GIDS.md lists the range as unused), below where ids turn negative.
const PREFERRED: std::ops::Range<u32> = 0x7000_0000..0x7ff0_0000;

impl IdRange {
    /// Chooses from the ids of the caller's user namespace.
    ///
    /// `uid_map` and `gid_map` are the texts of `/proc/self/uid_map` and `gid_map`; `privileged`
    /// says whether the caller may change ids and make namespaces without one of its own. `seat`
    /// tells concurrent hosts apart, so that their workloads have different ids where there is
    /// room; any number will do.
    pub(crate) fn choose(privileged: bool, uid_map: &str, gid_map: &str, seat: u32) -> Self {
        if !privileged {
            return Self::Single;
        }
        match (free_ids(uid_map, seat), free_ids(gid_map, seat)) {
            (Some(uids), Some(gids)) => {
                let first = uids.0.max(gids.0);
                let end = uids.1.min(gids.1);
                let count = end.saturating_sub(first).min(WANTED) & !1;
                if count >= 2 { Self::Range { first, count } } else { Self::Single }
            }
            _ => Self::Single,
        }
    }
}

/// A span of mapped ids, `first..end`, that starts as high as it can.
fn free_ids(map: &str, seat: u32) -> Option<(u32, u32)> {
    let spans = map.lines().filter_map(|line| {
        let mut fields = line.split_whitespace().map(str::parse::<u64>);
        let (first, _, len) = (fields.next()?.ok()?, fields.next()?.ok()?, fields.next()?.ok()?);
        Some((first, first.checked_add(len)?))
    });
    let (start, end) = spans.max_by_key(|(first, end)| end - first)?;
    let wanted = u64::from(WANTED);
    let all_preferred = start <= PREFERRED.start.into() && u64::from(PREFERRED.end) <= end;
    let first = if all_preferred {
        let seats = (PREFERRED.end - PREFERRED.start) / WANTED;
        u64::from(PREFERRED.start + seat % seats * WANTED)
    } else {
        // Ids from 1 on: the caller's root is not given away.
        end.saturating_sub(wanted).max(start).max(1)
    };
    Some((u32::try_from(first).ok()?, u32::try_from(end.min(first + wanted)).ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_ordinary_user_has_one_id() {
        assert_eq!(IdRange::choose(false, "0 0 4294967295", "0 0 4294967295", 0), IdRange::Single);
    }

    #[test]
    fn root_of_the_host_gives_ids_from_the_unused_range() {
        let range = IdRange::choose(true, "0 0 4294967295", "0 0 4294967295", 0);
        assert_eq!(range, IdRange::Range { first: 0x7000_0000, count: 16_384 });
    }

    #[test]
    fn concurrent_hosts_give_different_ids() {
        let map = "0 0 4294967295";
        let range = IdRange::choose(true, map, map, 1);
        assert_eq!(range, IdRange::Range { first: 0x7000_4000, count: 16_384 });
        let last = IdRange::choose(true, map, map, u32::MAX);
        assert!(matches!(last, IdRange::Range { first, count } if first + count < 0x7ff0_0001));
    }

    #[test]
    fn root_of_a_container_gives_the_last_ids_of_its_map() {
        let map = "0 1000 1\n1 100000 65536";
        let range = IdRange::choose(true, map, map, 7);
        assert_eq!(range, IdRange::Range { first: 65_537 - 16_384, count: 16_384 });
    }

    #[test]
    fn root_of_a_small_map_gives_what_there_is_but_not_itself() {
        let map = "0 100000 8";
        assert_eq!(IdRange::choose(true, map, map, 7), IdRange::Range { first: 1, count: 6 });
    }

    #[test]
    fn a_map_of_one_id_has_none_to_give() {
        assert_eq!(IdRange::choose(true, "0 1000 1", "0 1000 1", 7), IdRange::Single);
    }
}
