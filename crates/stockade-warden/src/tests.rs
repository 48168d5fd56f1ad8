use proptest::collection::vec;
use proptest::prelude::*;

use self::decode::ALL_SECTIONS;
use crate::wire::board::{Step, Stop, WORDS, Word};
use crate::wire::plan::{
    Counter, Group, HEADER, NUMBERS, Number, Plan, Rlimit, Rule, SECTIONS, Section, Tmpfs, Watch,
    Write,
};
use crate::wire::reader::Reader;
use crate::wire::request::{Operation, VERSION};
use crate::wire::root;
use crate::{IMAGE, PlanWriter, Writer};

mod decode;

/// A plan with something in every number and section.
fn full_plan() -> Vec<u8> {
    let mut writer = PlanWriter::new();
    writer.number(Number::WallNs, 7).number(Number::LandlockScopes, u64::MAX);
    for (index, section) in ALL_SECTIONS.into_iter().enumerate() {
        let mut text = Writer::new();
        text.c_str(format!("section {index}").as_bytes()).u32(index as u32);
        writer.section(section, text.finish());
    }
    writer.finish()
}

/// A recipe with every record.
fn full_recipe() -> Vec<u8> {
    use root::tag;
    let mut writer = Writer::new();
    writer.u32(tag::MEMORY);
    writer.u32(tag::TREE).c_str(b"/tree").u64(1).u64(2);
    writer.u32(tag::DIR).c_str(b"/dir").u32(0o755);
    writer.u32(tag::LINK).c_str(b"/link").c_str(b"to");
    writer.u32(tag::FILE).c_str(b"/file").u32(0o644).bytes(b"contents\0");
    writer.u32(tag::TMPFS).c_str(b"/dev");
    writer.u32(tag::BIND).c_str(b"/bind").c_str(b"/source").u64(3).u64(4).u32(root::bind::WRITE);
    writer.u32(tag::PROC).c_str(b"/proc");
    writer.u32(tag::SEAL).c_str(b"/");
    writer.u32(tag::INSIDE).c_str(b"/file").c_str(b"/other");
    writer.finish()
}

#[test]
fn the_image_is_a_small_static_executable_of_this_machine() {
    assert_eq!(&IMAGE[..6], b"\x7fELF\x02\x01", "64 bits, little-endian");
    let machine = u16::from_le_bytes([IMAGE[18], IMAGE[19]]);
    assert_eq!(machine, if cfg!(target_arch = "aarch64") { 183 } else { 62 });
    let half = |at: usize| u16::from_le_bytes([IMAGE[at], IMAGE[at + 1]]) as usize;
    let (headers, size, number) = (IMAGE[32] as usize, half(54), half(56));
    const PT_INTERP: u32 = 3;
    for at in (0..number).map(|index| headers + index * size) {
        let kind = u32::from_le_bytes([IMAGE[at], IMAGE[at + 1], IMAGE[at + 2], IMAGE[at + 3]]);
        assert_ne!(kind, PT_INTERP, "it needs no loader");
    }
    assert!(IMAGE.len() < 256 << 10, "{} bytes", IMAGE.len());
}

#[test]
fn a_plan_is_read_as_it_was_written() {
    let bytes = full_plan();
    let plan = Plan::new(&bytes).expect("it was written just now");
    assert_eq!(plan.number(Number::Version), VERSION);
    assert_eq!(plan.number(Number::WallNs), 7);
    assert_eq!(plan.number(Number::LandlockScopes), u64::MAX);
    assert_eq!(plan.number(Number::Root), 0);
    for (index, section) in ALL_SECTIONS.into_iter().enumerate() {
        let mut reader = plan.records(section);
        let text = format!("section {index}\0");
        assert_eq!(reader.c_str(), Some(text.as_bytes()));
        assert_eq!(reader.u32(), Some(index as u32));
        assert!(reader.is_empty());
    }
}

#[test]
fn an_empty_plan_has_empty_sections() {
    let bytes = PlanWriter::new().finish();
    assert_eq!(bytes.len(), HEADER);
    let plan = Plan::new(&bytes).expect("it was written just now");
    assert!(ALL_SECTIONS.into_iter().all(|section| plan.section(section).is_empty()));
}

#[test]
fn what_makes_a_root_writable_is_there_or_is_not() {
    let read = |section: Vec<u8>| {
        let mut writer = PlanWriter::new();
        writer.section(Section::Writable, section);
        let bytes = writer.finish();
        let plan = Plan::new(&bytes).expect("it was written just now");
        plan.writable().map(|mut root| {
            (root.uid, root.gid, root.mounts.c_str().map(<[u8]>::to_vec), root.mounts.is_empty())
        })
    };
    let mut section = Writer::new();
    section.u32(7).u32(8).c_str(b"/dev");
    let section = section.finish();
    assert_eq!(read(section.clone()), Some((7, 8, Some(b"/dev\0".to_vec()), true)));
    assert_eq!(read(section[..8].to_vec()), Some((7, 8, None, true)));
    assert_eq!(read(section[..7].to_vec()), None);
    assert_eq!(read(Vec::new()), None);
}

#[test]
fn a_plan_of_another_version_is_refused() {
    let mut bytes = full_plan();
    bytes[0] ^= 1;
    assert!(Plan::new(&bytes).is_none());
}

#[test]
fn a_section_out_of_bounds_is_refused() {
    let good = full_plan();
    for section in 0..SECTIONS {
        let at = NUMBERS * 8 + section * 16;
        for (offset, value) in [(0, u64::MAX), (8, u64::MAX), (0, good.len() as u64 + 1)] {
            let mut bytes = good.clone();
            bytes[at + offset..at + offset + 8].copy_from_slice(&value.to_le_bytes());
            assert!(Plan::new(&bytes).is_none(), "section {section}");
        }
    }
}

#[test]
fn a_recipe_is_read_as_it_was_written_and_not_beyond_a_cut() {
    let bytes = full_recipe();
    assert_eq!(decode::each(&bytes, root::next, drop), 10);
    for len in 0..bytes.len() {
        assert!(decode::each(&bytes[..len], root::next, drop) < 10);
    }
}

#[test]
fn a_string_with_a_nul_in_it_or_none_at_its_end_is_refused() {
    let read = |bytes: &[u8]| {
        let mut writer = Writer::new();
        writer.bytes(bytes);
        Reader::new(&writer.finish()).c_str().is_some()
    };
    assert!(read(b"text\0") && read(b"\0"));
    assert!(!read(b"text") && !read(b"te\0xt\0") && !read(b"text\0\0") && !read(b""));
}

#[test]
fn steps_and_stops_are_their_numbers() {
    for (index, step) in Step::ALL.into_iter().enumerate() {
        assert_eq!(step as usize, index, "{step:?}");
        assert_eq!(Step::from_number(index as u64), step);
        assert!(!step.describe().is_empty());
    }
    assert_eq!(Step::from_number(Step::ALL.len() as u64), Step::None);
    for number in 0..7 {
        assert_eq!(Stop::from_number(number).map(|stop| stop as u64), Some(number));
    }
    assert_eq!(Stop::from_number(7), None);
    for number in 1..11 {
        assert_eq!(Operation::from_number(number).map(|o| o as u64), Some(number));
    }
    assert_eq!((Operation::from_number(0), Operation::from_number(11)), (None, None));
    assert!((Word::ReadLayer as usize) < WORDS);
    assert!((Number::LandlockScopes as usize) < NUMBERS);
    assert_eq!(Section::Writable as usize, SECTIONS - 1);
}

proptest! {
    #[test]
    fn random_bytes_decode_to_something_or_nothing(bytes in vec(any::<u8>(), 0..600)) {
        decode::anything(&bytes);
    }

    #[test]
    fn a_plan_with_random_bytes_in_it_does_no_harm(
        at in 0..full_plan().len(),
        bytes in vec(any::<u8>(), 1..40),
    ) {
        let mut plan = full_plan();
        for (place, byte) in plan[at..].iter_mut().zip(bytes) {
            *place = byte;
        }
        decode::anything(&plan);
        decode::anything(&plan[..at]);
    }

    #[test]
    fn a_recipe_with_random_bytes_in_it_does_no_harm(
        at in 0..full_recipe().len(),
        bytes in vec(any::<u8>(), 1..16),
    ) {
        let mut recipe = full_recipe();
        for (place, byte) in recipe[at..].iter_mut().zip(bytes) {
            *place = byte;
        }
        decode::anything(&recipe);
    }

    #[test]
    fn records_are_read_as_they_were_written(
        numbers in any::<[u32; 4]>(),
        large in any::<[u64; 3]>(),
        name in "[^\0]{0,40}",
        value in vec(any::<u8>(), 0..40),
    ) {
        let [a, b, c, d] = numbers;
        let nul = format!("{name}\0");
        let mut writer = Writer::new();
        writer.c_str(name.as_bytes()).u64(large[0]);
        writer.c_str(name.as_bytes()).u64(large[1]).u64(large[2]).u32(1);
        writer.u32(a).u32(b).u64(large[0]);
        writer.u32(a).u32(1);
        writer.u32(a).u32(0).c_str(name.as_bytes()).bytes(&value);
        writer.u32(a).u32(b).u32(c).u32(d).c_str(name.as_bytes()).bytes(&value);
        writer.u32(a).u32(b).u32(1).u64(large[1]).c_str(name.as_bytes()).bytes(&value);
        let bytes = writer.finish();
        let reader = &mut Reader::new(&bytes);

        let rule = Rule::next(reader).expect("a rule");
        prop_assert_eq!((rule.path, rule.rights), (nul.as_bytes(), large[0]));
        let tmpfs = Tmpfs::next(reader).expect("a tmpfs");
        prop_assert_eq!((tmpfs.bytes, tmpfs.inodes, tmpfs.late), (large[1], large[2], true));
        let limit = Rlimit::next(reader).expect("a limit");
        prop_assert_eq!((limit.resource, limit.word, limit.value), (a, b, large[0]));
        let group = Group::next(reader).expect("a group");
        prop_assert_eq!((group.parent, group.unified), (a, true));
        let write = Write::next(reader).expect("a write");
        prop_assert_eq!((write.group, write.optional), (a, false));
        prop_assert_eq!((write.file, write.value), (nul.as_bytes(), value.as_slice()));
        let counter = Counter::next(reader).expect("a counter");
        prop_assert_eq!((counter.group, counter.when, counter.word, counter.scale), (a, b, c, d));
        prop_assert_eq!((counter.file, counter.key), (nul.as_bytes(), value.as_slice()));
        let watch = Watch::next(reader).expect("a watch");
        prop_assert_eq!((watch.group, watch.stop, watch.eventfd), (a, b, true));
        prop_assert_eq!((watch.limit, watch.key), (large[1], value.as_slice()));
        prop_assert!(reader.is_empty());
    }
}
