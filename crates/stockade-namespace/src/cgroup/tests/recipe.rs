use std::fmt::Write;

use stockade_warden::wire::plan::when;

use super::super::recipe::Recipe;
use super::super::{Bounds, Cgroups};

const ALL: Bounds = Bounds { memory: Some(64 << 20), processes: Some(20), milli_cpus: Some(500) };

/// A recipe as text, one record a line.
fn show(recipe: &Recipe) -> String {
    let mut text = String::new();
    for group in &recipe.groups {
        writeln!(text, "group in {}{}", group.parent, if group.unified { " v2" } else { "" })
            .expect("memory");
    }
    for w in &recipe.writes {
        let mark = if w.optional { "?" } else { "" };
        writeln!(text, "{} {}{mark} = {}", w.group, w.file, w.value).expect("memory");
    }
    for c in &recipe.counters {
        let when = ["start", "end", "clock"][c.when as usize];
        writeln!(text, "{} {when} {:?} {}*{} {}", c.group, c.word, c.file, c.scale, c.key)
            .expect("memory");
    }
    for w in &recipe.watches {
        let by = if w.eventfd { "eventfd" } else { "poll" };
        writeln!(text, "{} {:?} {} {by} {} {}", w.group, w.stop, w.limit, w.file, w.key)
            .expect("memory");
    }
    text
}

#[test]
fn version_1_uses_one_group_per_hierarchy() {
    let expected = "\
group in 2
group in 3
group in 1
group in 0
0 memory.limit_in_bytes = 67108864
0 memory.memsw.limit_in_bytes? = 67108864
1 pids.max = 20
3 cpu.cfs_period_us = 100000
3 cpu.cfs_quota_us = 50000
0 start ReadMemory memory.limit_in_bytes*1 
0 start ReadSwap memory.memsw.limit_in_bytes*1 
0 end PeakMemory memory.memsw.max_usage_in_bytes*1 
0 end OomKills memory.oom_control*1 oom_kill
1 start ReadTasks pids.max*1 
1 end TaskRefusals pids.events*1 max
1 end PeakTasks pids.peak*1 
2 end UserNs cpuacct.usage*1 
2 clock UserNs cpuacct.usage*1 
3 start ReadQuota cpu.cfs_quota_us*1 
0 Memory 67108864 eventfd memory.oom_control oom_kill
1 Processes 20 poll pids.events max
";
    assert_eq!(show(&super::v1().recipe(&ALL)), expected);
}

#[test]
fn version_2_uses_one_group() {
    let expected = "\
group in 0 v2
0 memory.max = 67108864
0 memory.swap.max? = 0
0 memory.oom.group? = 1
0 pids.max = 20
0 cpu.max = 50000 100000
0 start ReadMemory memory.max*1 
0 end PeakMemory memory.peak*1 
0 end OomEvents memory.events*1 oom
0 end OomEventKills memory.events*1 oom_kill
0 start ReadTasks pids.max*1 
0 end TaskRefusals pids.events*1 max
0 end PeakTasks pids.peak*1 
0 end UserNs cpu.stat*1000 user_usec
0 end SystemNs cpu.stat*1000 system_usec
0 clock UserNs cpu.stat*1000 user_usec
0 clock SystemNs cpu.stat*1000 system_usec
0 start ReadQuota cpu.max*1 
0 Memory 67108864 poll memory.events oom
0 Processes 20 poll pids.events max
";
    assert_eq!(show(&super::v2().recipe(&ALL)), expected);
}

#[test]
fn lifted_limits_are_still_counted_and_need_no_cpu_group() {
    for cgroups in [super::v1(), super::v2()] {
        let recipe = cgroups.recipe(&Bounds::default());
        assert!(recipe.writes.is_empty() && recipe.watches.is_empty());
        assert!(recipe.counters.iter().all(|counter| counter.when != when::START));
        let text = show(&recipe);
        for word in ["PeakMemory", "Oom", "PeakTasks", "UserNs"] {
            assert!(text.contains(word), "{word}");
        }
    }
    let groups = super::v1().recipe(&Bounds::default()).groups;
    assert!(groups.len() == 3 && groups.iter().all(|group| group.parent != 0));
}

#[test]
fn comounted_controllers_share_a_group() {
    let mut cgroups = super::v1();
    cgroups.cpu_rate = cgroups.cpu_time.clone();
    assert_eq!(cgroups.recipe(&ALL).groups.len(), 3);
}

#[test]
fn the_smallest_cpu_rate_is_a_quota_that_the_kernel_takes() {
    let bounds = Bounds { milli_cpus: Some(10), ..Bounds::default() };
    let write = super::v2().recipe(&bounds).writes.pop().expect("one write");
    assert_eq!(write.value, "1000 100000");
}

#[test]
fn without_swap_accounting_nothing_is_swapped_out() {
    let mut cgroups = super::v1();
    lose(&mut cgroups, "memory.memsw.limit_in_bytes");
    let text = show(&cgroups.recipe(&ALL));
    assert!(text.contains("memory.swappiness? = 0") && !text.contains("ReadSwap"), "{text}");
}

#[test]
fn an_old_kernel_is_not_asked_for_peaks() {
    let mut cgroups = super::v2();
    lose(&mut cgroups, "memory.peak");
    cgroups.tasks.as_mut().expect("it is seated").missing.push("pids.peak");
    assert!(!show(&cgroups.recipe(&ALL)).contains("peak"));
}

#[test]
fn without_cgroups_there_is_nothing_to_do() {
    assert_eq!(super::none().recipe(&ALL), Recipe::default());
}

fn lose(cgroups: &mut Cgroups, file: &'static str) {
    cgroups.memory.as_mut().expect("it is seated").missing.push(file);
}
