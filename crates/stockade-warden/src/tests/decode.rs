//! What host and warden tell each other, read out of any bytes: they are records or nothing, and no
//! record reaches outside of them. For the tests here and for the fuzz target `wire`.

use std::ops::Range;

use crate::wire::board::{Step, Stop};
use crate::wire::plan::{
    Bind, Counter, Group, HEADER, Plan, Rlimit, Rule, SECTIONS, Section, Tmpfs, Watch, Write,
};
use crate::wire::reader::Reader;
use crate::wire::request::{Operation, Settle};
use crate::wire::root::{self, Record, Source};

pub(crate) const ALL_SECTIONS: [Section; SECTIONS] = [
    Section::Program,
    Section::Arguments,
    Section::Environment,
    Section::WorkDir,
    Section::Hostname,
    Section::Filter,
    Section::Rules,
    Section::Tmpfs,
    Section::Binds,
    Section::Masks,
    Section::Rlimits,
    Section::Groups,
    Section::Writes,
    Section::Counters,
    Section::Watches,
    Section::Writable,
];

/// Decodes `data` as everything there is.
pub(crate) fn anything(data: &[u8]) {
    recipe(data);
    records(data, data);
    if let Some(plan) = Plan::new(data) {
        assert!(data.len() >= HEADER);
        for section in ALL_SECTIONS {
            records(data, plan.section(section));
            if let Some(string) = plan.string(section) {
                path(data, string);
            }
        }
        if let Some(mut writable) = plan.writable() {
            while let Some(place) = writable.mounts.c_str() {
                path(data, place);
            }
        }
    }
    for word in data.as_chunks().0 {
        let number = u64::from_le_bytes(*word);
        assert!(Operation::from_number(number).is_none_or(|read| read as u64 == number));
        assert!(Stop::from_number(number).is_none_or(|read| read as u64 == number));
        let _ = (Step::from_number(number).describe(), Settle::describe(number));
    }
}

/// Every kind of record that a plan has, as often as there is one.
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

/// Reads records until there are no more or one is malformed; tells how many there were.
pub(crate) fn each<'a, T>(
    bytes: &'a [u8],
    next: impl Fn(&mut Reader<'a>) -> Option<T>,
    look: impl Fn(T),
) -> usize {
    let mut reader = Reader::new(bytes);
    let mut records = 0;
    while !reader.is_empty() {
        let Some(record) = next(&mut reader) else { break };
        look(record);
        records += 1;
    }
    records
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
