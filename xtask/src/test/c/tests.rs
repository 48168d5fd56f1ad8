use super::program::{Manner, Way, results};
use super::{header, installed, programs};

#[test]
fn functions_are_found_in_a_header_and_not_in_its_comments() {
    let text = "/** stockade_old(1) */\n#define STOCKADE_X(a) stockade_macro(a)\n\
                typedef int32_t (*stockade_function)(void *data);\n\
                int32_t stockade_run(const char *const *argv,\n    stockade_error **error);\n\
                /* see\n stockade_gone() */ void stockade_free(void);\n";
    assert_eq!(header::functions(text), ["stockade_free", "stockade_run"]);
}

#[test]
fn a_program_says_which_ways_suit_it() {
    let read = |text: &str| Manner::read(text);
    let usual = vec![Way::Plain, Way::Asan, Way::Valgrind, Way::Rootless];
    assert_eq!(read("/* Runs. */\n"), Ok(Manner { ways: usual.clone(), alone: false }));
    let text = "/* Forks.\n * ways: plain static; ASAN has\n * threads */\n/* alone: it counts processes */";
    assert_eq!(read(text), Ok(Manner { ways: vec![Way::Plain, Way::Static], alone: true }));
    let more = [usual, vec![Way::Static]].concat();
    let text = "/* ways: plain asan valgrind rootless static */";
    assert_eq!(read(text), Ok(Manner { ways: more, alone: false }));
    let wrong = [
        "/* ways: plain */",
        "/* ways: plain;*/",
        "/* ways: */",
        "// ways: fast; so",
        "/* alone: */",
    ];
    for bad in wrong {
        assert!(read(bad).is_err(), "{bad}");
    }
}

#[test]
fn what_a_program_prints_is_counted_and_its_status_too() {
    let count = |text: &str, succeeded| {
        let tally = results(text, succeeded);
        (tally.passed, tally.failed, tally.skips.len())
    };
    assert_eq!(count("ok a\n# note\nok b\nSKIP: c: why\n", true), (2, 0, 1));
    assert_eq!(count("ok a\nnot ok b\n", false), (1, 1, 0));
    assert_eq!(count("not ok b\n", true), (0, 1, 0));
    assert_eq!(count("ok a\n", false), (1, 1, 0));
    assert_eq!(count("", true), (1, 0, 0));
    assert_eq!(count("", false), (0, 1, 0));
}

#[test]
fn a_library_that_can_be_unloaded_or_needs_more_is_found() {
    let section = |soname: &str, flags: &str, needed: &str| {
        installed::dynamic_section(&format!(
            " 0x01 (NEEDED)             Shared library: [libc.so.6]\n\
             \x200x01 (NEEDED)             Shared library: [{needed}]\n\
             \x200x0e (SONAME)             Library soname: [{soname}]\n\
             \x200x1e (FLAGS)              BIND_NOW\n\
             \x200x6f (FLAGS_1)            Flags: {flags}\n"
        ))
    };
    let soname = format!("libstockade.so.{}", installed::series());
    assert_eq!(section(&soname, "NOW NODELETE", "libgcc_s.so.1"), Ok(()));
    assert!(section(&soname, "NOW", "libgcc_s.so.1").is_err());
    assert!(section("libstockade.so", "NOW NODELETE", "libgcc_s.so.1").is_err());
    assert!(section(&soname, "NOW NODELETE", "libssl.so.3").is_err());
}

#[test]
fn lists_of_functions_are_the_same_or_the_difference_is_told() {
    let compare =
        |found: &[&str], wanted: &[&str]| installed::compare("here", found, "there", wanted);
    assert_eq!(compare(&["a", "b"], &["a", "b"]), Ok(()));
    let text = compare(&["a", "c"], &["a", "b"]).expect_err("they differ");
    assert!(text.starts_with("here alone: [c]; there alone: [b]"), "{text}");
    assert!(compare(&["a", "b"], &["b", "a"]).is_err());
}

#[test]
fn a_long_output_is_shown_by_its_ends() {
    let text: String = (0..1000).map(|number| format!("{number}\n--7-- a warning\n")).collect();
    let shown = programs::shortened(&text);
    assert_eq!(shown.lines().count(), 161);
    assert!(shown.starts_with("0\n1\n") && shown.ends_with("998\n999"));
    assert_eq!(programs::shortened("1\n2\n"), "1\n2");
}
