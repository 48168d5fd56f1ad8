//! What host and warden tell each other: any bytes are records or nothing, and no record reaches
//! outside of them.
#![no_main]

use std::ops::Range;

use libfuzzer_sys::fuzz_target;
use stockade_warden::wire::board::{Step, Stop};
use stockade_warden::wire::plan::{
    Bind, Counter, Group, HEADER, Plan, Rlimit, Rule, Section, Tmpfs, Watch, Write,
};
use stockade_warden::wire::reader::Reader;
use stockade_warden::wire::request::{Operation, Settle};
use stockade_warden::wire::root::{self, Record, Source};

const STRINGS: [Section; 6] = [
    Section::Program,
    Section::WorkDir,
    Section::Hostname,
    Section::Filter,
    Section::Arguments,
    Section::Environment,
];

fuzz_target!(|data: &[u8]| {
    recipe(data);
    records(data, data);
    if let Some(plan) = Plan::new(data) {
        assert!(data.len() >= HEADER);
        for section in STRINGS {
            inside(data, plan.section(section));
            if let Some(string) = plan.string(section) {
                path(data, string);
            }
        }
        for section in [
            Section::Rules,
            Section::Tmpfs,
            Section::Binds,
            Section::Masks,
            Section::Rlimits,
            Section::Groups,
            Section::Writes,
            Section::Counters,
            Section::Watches,
        ] {
            records(data, plan.section(section));
        }
    }
    for word in data.as_chunks().0 {
        let number = u64::from_le_bytes(*word);
        assert!(Operation::from_number(number).is_none_or(|read| read as u64 == number));
        assert!(Stop::from_number(number).is_none_or(|read| read as u64 == number));
        let _ = (Step::from_number(number).describe(), Settle::describe(number));
    }
});

/// Every kind of record, as often as there is one.
fn records(data: &[u8], bytes: &[u8]) {
    inside(data, bytes);
    each(bytes, Rule::next, |rule| path(data, rule.path));
    each(bytes, Tmpfs::next, |tmpfs| path(data, tmpfs.path));
    each(bytes, Bind::next, |bind| {
        path(data, bind.from);
        path(data, bind.path);
    });
    each(bytes, Rlimit::next, |_| ());
    each(bytes, Group::next, |_| ());
    each(bytes, Write::next, |write| {
        path(data, write.file);
        inside(data, write.value);
    });
    each(bytes, Counter::next, |counter| {
        path(data, counter.file);
        inside(data, counter.key);
    });
    each(bytes, Watch::next, |watch| {
        path(data, watch.file);
        inside(data, watch.key);
    });
    each(bytes, Reader::c_str, |string| path(data, string));
}

fn recipe(data: &[u8]) {
    let source = |source: Source<'_>| path(data, source.path);
    each(data, root::next, |record| match record {
        Record::Memory => (),
        Record::Tree(from) => source(from),
        Record::Dir { path: at, .. }
        | Record::Tmpfs { path: at }
        | Record::Proc { path: at }
        | Record::Seal { path: at } => path(data, at),
        Record::Link { path: at, to: other } | Record::Inside { path: at, from: other } => {
            path(data, at);
            path(data, other);
        }
        Record::File { path: at, contents, .. } => {
            path(data, at);
            inside(data, contents);
        }
        Record::Bind { path: at, source: from, .. } => {
            path(data, at);
            source(from);
        }
    });
}

fn each<'a, T>(bytes: &'a [u8], next: impl Fn(&mut Reader<'a>) -> Option<T>, look: impl Fn(T)) {
    let mut reader = Reader::new(bytes);
    while !reader.is_empty() {
        let Some(record) = next(&mut reader) else { return };
        look(record);
    }
}

/// A string as the kernel takes it: one NUL, at its end.
fn path(data: &[u8], text: &[u8]) {
    inside(data, text);
    assert_eq!(text.iter().position(|byte| *byte == 0), Some(text.len() - 1));
}

fn inside(data: &[u8], part: &[u8]) {
    let (Range { start, end }, part) = (data.as_ptr_range(), part.as_ptr_range());
    assert!(part.is_empty() || (start <= part.start && part.end <= end));
}
