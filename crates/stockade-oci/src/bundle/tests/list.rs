//! Every line of the list of fields, one by one.

use std::collections::BTreeSet;

use super::*;
use crate::bundle::fields::FIELDS;

/// A value of the shape, which asks for something.
pub(super) fn sample(shape: Shape) -> Value {
    match shape {
        Shape::Flag => json!(true),
        Shape::Whole | Shape::Signed | Shape::Id => json!(7),
        Shape::Texts => json!(["some"]),
        Shape::Ids => json!([7]),
        Shape::Object => json!({ "x-unknown": 1 }),
        Shape::Objects => json!([{}]),
        Shape::Map | Shape::Named => json!({ "name": "value" }),
        Shape::Text | Shape::Any => json!("some"),
    }
}

/// A value that has none of these shapes.
pub(super) fn wrong(shape: Shape) -> Value {
    match shape {
        Shape::Text | Shape::Any => json!(1.5),
        Shape::Object | Shape::Named => json!([]),
        Shape::Id => json!(1_u64 << 32),
        Shape::Signed => json!(u64::MAX),
        Shape::Whole => json!(-1),
        Shape::Flag => json!("true"),
        Shape::Texts => json!(["some", 1]),
        Shape::Ids => json!([-1]),
        Shape::Objects => json!([[]]),
        Shape::Map => json!({ "name": 1 }),
    }
}

#[test]
fn a_value_of_the_wrong_type_is_an_error_that_names_its_place() {
    let scratch = Scratch::new();
    for row in FIELDS.iter().filter(|row| row.shape != Shape::Any) {
        let error = scratch.load(&with(row.name, wrong(row.shape))).expect_err(row.name);
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy, "{}: {error}", row.name);
        let named = format!("`{}` is ", row.name.replace("[]", "[0]"));
        assert!(error.to_string().starts_with(&named), "{}: {error}", row.name);
        assert!(error.to_string().ends_with(&format!("expected {}", row.shape)), "{error}");
    }
}

#[test]
fn what_is_refused_is_named_and_what_asks_for_nothing_is_not() {
    let scratch = Scratch::new();
    for row in FIELDS.iter().filter(|row| row.treatment == Treatment::Refused) {
        let mut config = with(row.name, sample(row.shape));
        if row.name.starts_with("mounts[]") {
            put(&mut config, "mounts[].destination", json!("/proc"));
            put(&mut config, "mounts[].type", json!("proc"));
        }
        let place = row.name.replace("[]", "[0]");
        assert_eq!(refused(scratch.load(&config)), [place.as_str()]);
        if row.shape == Shape::Named {
            // A network device is moved by its name alone.
            put(&mut config, row.name, json!({ "name": {} }));
            assert_eq!(refused(scratch.load(&config)), [place.as_str()]);
        }
        let nothing = match row.shape {
            Shape::Named => vec![json!(null), json!({})],
            _ => vec![json!(null), json!(""), json!([]), json!({}), json!({ "a": { "b": 0 } })],
        };
        for value in nothing {
            put(&mut config, row.name, value);
            accepted(scratch.load(&config));
        }
    }
}

#[test]
fn what_is_harmless_is_noted_and_what_asks_for_nothing_is_not() {
    let scratch = Scratch::new();
    for row in FIELDS.iter().filter(|row| row.treatment == Treatment::Harmless) {
        let mut config = with(row.name, sample(row.shape));
        let bundle = accepted(scratch.load(&config));
        noted(&bundle, &row.name.replace("[]", "[0]"), NoteKind::Harmless);
        put(&mut config, row.name, json!(null));
        assert_eq!(accepted(scratch.load(&config)).notes, [], "{}", row.name);
    }
}

#[test]
fn what_is_honoured_or_depends_has_cases() {
    let covered: BTreeSet<&str> = cases::covered();
    for row in FIELDS {
        if matches!(row.treatment, Treatment::Honoured | Treatment::Depends) {
            assert!(covered.contains(row.name), "no case has `{}`", row.name);
        }
    }
}

#[test]
fn parts_follow_their_wholes_and_every_row_has_its_words() {
    let mut names = BTreeSet::new();
    for row in FIELDS {
        assert!(names.insert(row.name), "{} twice", row.name);
        assert_eq!(row.text.is_empty(), row.treatment == Treatment::Part, "{}", row.name);
        assert_ne!(row.treatment, Treatment::NotEnforced, "{}", row.name);
        if let Some((whole, _)) = row.name.rsplit_once('.') {
            let whole = whole.trim_end_matches("[]");
            assert!(names.contains(whole), "{} has no whole above it", row.name);
        }
    }
}

#[test]
fn unknown_members_are_passed_over_and_noted_wherever_they_are() {
    let scratch = Scratch::new();
    for row in FIELDS {
        let place = match row.shape {
            Shape::Object => format!("{}.x-new", row.name),
            Shape::Objects => format!("{}[].x-new", row.name),
            _ => continue,
        };
        let result = scratch.load(&with(&place, json!({ "a": 1 })));
        // The other members of its object may be missing, which is told after.
        if let Ok(bundle) = result {
            noted(&bundle, &place.replace("[]", "[0]"), NoteKind::Ignored);
        } else {
            let mut found = Findings::default();
            let config = with(&place, json!(1));
            let rows = FIELDS.iter().copied();
            walk::walk(&config, rows, &mut found).expect("every shape is right");
            let place = place.replace("[]", "[0]");
            let noted = found.notes.iter().any(|note| note.path == place);
            assert!(noted, "{place}: {:?}", found.notes);
        }
    }
    noted(&accepted(scratch.load(&with("x-new", json!(1)))), "x-new", NoteKind::Ignored);
}

#[test]
fn a_member_that_engines_would_read_in_another_case_is_an_error() {
    let scratch = Scratch::new();
    for (place, known) in [
        ("Hooks", "hooks"),
        ("linux.Seccomp", "linux.seccomp"),
        ("process.rlimits[].TYPE", "process.rlimits[].type"),
        ("linux.resources.memory.LIMIT", "linux.resources.memory.limit"),
    ] {
        let error = scratch.load(&with(place, json!(1))).expect_err("it differs by its case alone");
        assert_eq!(error.kind(), ErrorKind::InvalidPolicy);
        assert!(error.to_string().contains(known), "{error}");
    }
}

#[test]
fn a_name_with_a_dot_is_no_member_of_a_member() {
    let scratch = Scratch::new();
    let mut config = smallest();
    config["linux.sysctl"] = json!({ "a": "b" });
    config["linux"]["resources.memory"] = json!({ "limit": 1 });
    let bundle = accepted(scratch.load(&config));
    noted(&bundle, "linux.sysctl", NoteKind::Ignored);
    noted(&bundle, "linux.resources.memory", NoteKind::Ignored);
}
