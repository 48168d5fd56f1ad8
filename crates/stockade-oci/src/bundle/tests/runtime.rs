//! The list as the container runtime has it.

use std::collections::BTreeSet;

use super::list::{sample, wrong};
use super::*;
use crate::bundle::fields::FIELDS;
use crate::bundle::runtime::{check, fields};

fn refusals(config: &Value) -> Vec<String> {
    let error = check(&config.to_string()).expect_err("it is refused");
    assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
    let refused = error.get_ref().downcast_ref::<RefusedFields>().expect("the cause names them");
    refused.fields.iter().map(|field| field.path.clone()).collect()
}

#[test]
fn each_field_is_listed_once_and_below_its_whole() {
    let rows: Vec<Row> = fields().collect();
    let names: BTreeSet<&str> = rows.iter().map(|row| row.name).collect();
    assert_eq!(names.len(), rows.len());
    for row in FIELDS {
        assert!(names.contains(row.name), "{} is missing", row.name);
    }
    for row in &rows {
        let Some((whole, _)) = row.name.rsplit_once('.') else { continue };
        let is_list = whole.ends_with("[]");
        let whole = rows.iter().find(|row| row.name == whole.trim_end_matches("[]"));
        let shape = whole.expect(row.name).shape;
        assert_eq!(shape, if is_list { Shape::Objects } else { Shape::Object }, "{}", row.name);
    }
}

#[test]
fn only_what_is_refused_has_no_shape() {
    for row in fields() {
        let refused = row.treatment == Treatment::Refused;
        assert!(row.shape != Shape::Any || refused, "{} is honoured, of any type", row.name);
        assert_eq!(row.text.is_empty(), !refused && row.treatment != Treatment::Harmless);
    }
}

#[test]
fn what_is_refused_is_named_and_what_asks_for_nothing_is_not() {
    let mut all = smallest();
    let mut names = Vec::new();
    for row in fields().filter(|row| row.treatment == Treatment::Refused) {
        assert_eq!(refusals(&with(row.name, sample(row.shape))), [row.name]);
        check(&with(row.name, json!(null)).to_string()).expect(row.name);
        put(&mut all, row.name, sample(row.shape));
        names.push(row.name);
    }
    assert!(names.contains(&"linux.intelRdt") && names.contains(&"windows"));
    let mut found = refusals(&all);
    found.sort_unstable();
    names.sort_unstable();
    assert_eq!(found, names);
}

#[test]
fn what_is_honoured_is_accepted_and_of_its_type() {
    let refused: Vec<Row> = fields().filter(|row| row.treatment == Treatment::Refused).collect();
    for row in fields() {
        if refused.iter().any(|whole| row.name.starts_with(whole.name)) {
            continue;
        }
        // The version has a check of its own.
        if row.name != "ociVersion" {
            check(&with(row.name, sample(row.shape)).to_string()).expect(row.name);
        }
        let error = check(&with(row.name, wrong(row.shape)).to_string()).expect_err(row.name);
        let named = format!("`{}`", row.name.replace("[]", "[0]"));
        let known = error.to_string().contains(&named) || row.name == "ociVersion";
        assert!(known, "{}: {error}", row.name);
    }
}

#[test]
fn what_nobody_knows_is_noted_at_any_depth() {
    for place in ["x-new", "hooks.poststop[].x-new", "linux.resources.blockIO.x-new"] {
        let notes = check(&with(place, json!(1)).to_string()).expect("it is passed over");
        let place = place.replace("[]", "[0]");
        let kinds: Vec<NoteKind> =
            notes.iter().filter(|note| note.path == place).map(|note| note.kind).collect();
        assert_eq!(kinds, [NoteKind::Ignored], "{notes:?}");
    }
    let error = check(&with("hooks.Poststop", json!([])).to_string()).expect_err("it is close");
    assert!(error.to_string().contains("`hooks.poststop`"), "{error}");
}

#[test]
fn other_versions_and_broken_texts_are_refused() {
    for version in ["", "0.9.0", "1.3.0", "2.0.0", "one"] {
        check(&with("ociVersion", json!(version)).to_string()).expect_err(version);
    }
    for version in ["1.0.0", "1.0.2-dev", "1.1.0", "1.2.1"] {
        check(&with("ociVersion", json!(version)).to_string()).expect(version);
    }
    for text in ["", "{", "[]", "{\"ociVersion\":\"1.0.2\",\"ociVersion\":\"1.0.2\"}"] {
        check(text).expect_err(text);
    }
}
