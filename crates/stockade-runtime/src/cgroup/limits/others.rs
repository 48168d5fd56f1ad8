//! Processes, huge pages, the network's marks, RDMA, and files of version 2 by their names.

use oci_spec::runtime::{LinuxPids, LinuxResources};

use super::{Seat, Seats};
use crate::failure::{Failure, Outcome};

pub(super) fn set(seats: &Seats, resources: &LinuxResources) -> Outcome<()> {
    // Zero is what stands for no limit being asked, and anything below for none at all.
    match resources.pids().as_ref().map(LinuxPids::limit) {
        None | Some(0) => {}
        Some(limit @ 1..) => seats.seat("pids").write("pids.max", &limit.to_string())?,
        Some(_) => seats.seat("pids").write("pids.max", "max")?,
    }
    for limit in resources.hugepage_limits().iter().flatten() {
        huge(seats.seat("hugetlb"), limit.page_size(), limit.limit())?;
    }
    if let Some(network) = resources.network() {
        if let Some(class) = network.class_id().filter(|&class| class != 0) {
            seats.seat("net_cls").write("net_cls.classid", &class.to_string())?;
        }
        for priority in network.priorities().iter().flatten() {
            let line = format!("{} {}", priority.name(), priority.priority());
            seats.seat("net_prio").write("net_prio.ifpriomap", &line)?;
        }
    }
    for (device, limit) in resources.rdma().iter().flatten() {
        let mut line = device.clone();
        for (key, value) in
            [("hca_handle", limit.hca_handles()), ("hca_object", limit.hca_objects())]
        {
            if let Some(value) = value {
                line.push_str(&format!(" {key}={value}"));
            }
        }
        seats.seat("rdma").write("rdma.max", &line)?;
    }
    unified(seats, resources)
}

/// A limit of huge pages of one size, in use and, where the kernel has it, in reserve.
fn huge(seat: Seat<'_>, size: &str, limit: i64) -> Outcome<()> {
    let (suffix, value) = match (seat.is_v2(), limit) {
        (true, ..0) => ("max", "max".to_owned()),
        (true, _) => ("max", limit.to_string()),
        (false, _) => ("limit_in_bytes", limit.to_string()),
    };
    seat.write(&format!("hugetlb.{size}.{suffix}"), &value)?;
    match seat.write(&format!("hugetlb.{size}.rsvd.{suffix}"), &value) {
        Err(refusal) if refusal.is_missing() => Ok(()),
        done => Ok(done?),
    }
}

/// Files by name. One that could move processes or hand on controllers is no limit: it is not taken.
fn unified(seats: &Seats, resources: &LinuxResources) -> Outcome<()> {
    let Some(unified) = resources.unified().as_ref().filter(|unified| !unified.is_empty()) else {
        return Ok(());
    };
    if !seats.alone {
        return Err(Failure::new(
            "linux.resources.unified: cannot use it on control groups of version 1",
        ));
    }
    // By name, so that a failure is the same each time.
    let mut files: Vec<_> = unified.iter().collect();
    files.sort();
    for (file, value) in files {
        check(file)?;
        let seat = seats.seat("cgroup").called(file);
        for line in value.lines() {
            seat.write(file, line)?;
        }
    }
    Ok(())
}

/// Files of the core that decide on no resource.
const CORE: [&str; 5] =
    ["cgroup.procs", "cgroup.threads", "cgroup.subtree_control", "cgroup.kill", "cgroup.type"];

pub(in crate::cgroup) fn check(file: &str) -> Outcome<()> {
    let wrong =
        |why: &str| Err(Failure::new(format!("unified resource `{}` {why}", file.escape_debug())));
    if file.contains(['/', '\0']) {
        return wrong("must be a file name (no slashes)");
    }
    match file.split_once('.') {
        Some((controller, name)) if !controller.is_empty() && !name.is_empty() => {}
        _ => return wrong("must be in the form CONTROLLER.PARAMETER"),
    }
    if CORE.contains(&file) { wrong("is no limit") } else { Ok(()) }
}
