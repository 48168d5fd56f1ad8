//! Files of the kernel, whose contents a container or a workload has a say in: `/proc/self/cgroup`
//! and `mountinfo` as the host reads them, numbers and keyed numbers as the warden does.
#![no_main]

use std::path::{Component, Path};

use libfuzzer_sys::fuzz_target;

#[path = "../../crates/stockade-namespace/src/cgroup/detect.rs"]
#[allow(dead_code, reason = "what the crate uses and this target does not")]
mod detect;
#[path = "../../crates/stockade-warden/src/image/text.rs"]
#[allow(dead_code, reason = "what the warden uses and this target does not")]
mod text;

fuzz_target!(|data: &[u8]| {
    hierarchies(data);
    numbers(data);
});

fn hierarchies(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (cgroup, mounts) = text.split_once('\0').unwrap_or((&text, &text));
    let found = detect::Hierarchies::parse(cgroup, mounts);
    let climbs = |path: &Path| path.components().any(|part| part == Component::ParentDir);
    // The mount's own path is the kernel's word; what is put below it is not.
    if let Some(unified) = &found.v2 {
        let below = unified.own.strip_prefix(&unified.mount);
        assert!(below.is_ok_and(|below| !climbs(below)), "{unified:?}");
    }
    assert!(found.v1.keys().all(|name| detect::CONTROLLERS.contains(name)));
}

fn numbers(data: &[u8]) {
    let key = data.split(|byte| *byte == 0).next().unwrap_or_default();
    let _ = text::value(data, key);
    if let Some(number) = text::number(data) {
        let written = text::Text::<20>::new().number(number);
        assert_eq!(text::number(written.bytes()), Some(number));
    }
    let _ = text::Text::<16>::new().push(key).push(data).bytes();
}
