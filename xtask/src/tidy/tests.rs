use super::source::Source;
use super::{Finding, Severity, check, code, edges, format, headers, names, proofs, units};
use crate::header::{self, HEADER};
use crate::workspace::{self, Metadata};
use std::path::Path;
use std::{env, fs, process};

/// A workspace of two members, the first with one dependency on the second.
fn edge(from: &str, to: &str, kind: &str) -> Vec<Finding> {
    edges::check(&metadata(&format!(
        r#"{{"name": "{from}", "manifest_path": "/w/{from}/Cargo.toml",
             "dependencies": [{{"name": "{to}", "kind": {kind}}}, {{"name": "libc", "kind": null}}]}},
           {{"name": "{to}", "manifest_path": "/w/{to}/Cargo.toml", "dependencies": []}}"#
    )))
}

fn metadata(packages: &str) -> Metadata {
    let text = format!(r#"{{"packages": [{packages}], "target_directory": "/w/target"}}"#);
    serde_json::from_str(&text).expect("the sample is metadata")
}

fn errors(path: &str, text: &str) -> Vec<String> {
    let findings = check(&Source::new(path, text)).into_iter();
    findings.filter(|found| found.severity == Severity::Error).map(|found| found.place).collect()
}

fn warnings(path: &str, text: &str) -> Vec<String> {
    let findings = check(&Source::new(path, text)).into_iter();
    findings.filter(|found| found.severity == Severity::Warning).map(|found| found.place).collect()
}

#[test]
fn the_workspace_itself_has_only_allowed_edges() {
    let metadata = Metadata::load().expect("cargo describes this workspace");
    assert_eq!(edges::check(&metadata), []);
}

#[test]
fn an_edge_from_core_to_a_backend_is_refused() {
    let findings = edge("stockade-core", "stockade-namespace", "null");
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].text, "stockade-core must not import stockade-namespace (normal)");
}

#[test]
fn backends_never_import_each_other() {
    for kind in ["null", r#""dev""#, r#""build""#] {
        assert_eq!(edge("stockade-namespace", "stockade-wasm", kind).len(), 1);
        assert_eq!(edge("stockade-wasm", "stockade-namespace", kind).len(), 1);
    }
    assert_eq!(edge("stockade-wasm", "stockade-core", "null"), []);
}

#[test]
fn a_build_edge_is_an_edge() {
    assert_eq!(edge("stockade-namespace", "stockade-warden", r#""build""#), []);
    assert_eq!(edge("stockade-core", "stockade-warden", r#""build""#).len(), 1);
    assert_eq!(edge("stockade-core", "stockade-bare", r#""build""#).len(), 1);
}

#[test]
fn guests_may_be_imported_for_tests_only() {
    assert_eq!(edge("stockade-cli", "stockade-guests", r#""dev""#), []);
    assert_eq!(edge("stockade-cli", "stockade-guests", "null").len(), 1);
    assert_eq!(edge("stockade-core", "stockade-guests", r#""dev""#).len(), 1);
}

#[test]
fn the_command_line_may_not_reach_past_the_facade() {
    assert_eq!(edge("stockade-cli", "stockade", "null"), []);
    assert_eq!(edge("stockade-cli", "stockade-namespace", "null").len(), 1);
}

#[test]
fn a_member_without_a_row_is_refused() {
    assert_eq!(
        edge("stockade-new", "stockade", "null")[0].text.split(' ').next(),
        Some("stockade-new")
    );
}

#[test]
fn a_crate_is_named_as_its_folder() {
    let check = |name: &str, folder: &str| {
        let package = format!(
            r#"{{"name": "{name}", "manifest_path": "/w/{folder}/Cargo.toml", "dependencies": []}}"#
        );
        names::check_folders(&metadata(&package), Path::new("/w")).len()
    };
    assert_eq!(check("stockade-core", "crates/stockade-core"), 0);
    assert_eq!(check("stockade-core", "crates/core"), 1);
    assert_eq!(check("stockade-examples", "examples"), 0);
    assert_eq!(check("stockade-examples", "samples"), 1);
}

#[test]
fn a_long_file_is_a_warning_and_a_very_long_one_an_error() {
    let path = "crates/stockade/src/lib.rs";
    assert_eq!(warnings(path, &"\n".repeat(400)).len(), 0);
    assert_eq!(warnings(path, &"\n".repeat(401)), [path]);
    assert_eq!(errors(path, &"\n".repeat(801)), [path]);
    assert_eq!(errors("examples/guest.py", &"\n".repeat(801)).len(), 1);
    assert_eq!(errors("bindings/c/tests/runs.c", &"\n".repeat(801)).len(), 1);
    assert_eq!(warnings(HEADER, &"\n".repeat(801)).len(), 0);
    assert_eq!(errors(HEADER, &"\n".repeat(801)).len(), 0);
}

#[test]
fn a_long_function_is_a_warning() {
    let path = "crates/stockade/src/lib.rs";
    let function =
        |lines: usize| format!("\nfn f(a: [u8; 2]) {{\n{}}}\n", "{ g(); }\n".repeat(lines));
    assert_eq!(warnings(path, &function(58)).len(), 0);
    assert_eq!(warnings(path, &function(59)), [format!("{path}:2")]);
    assert_eq!(warnings(path, &format!("trait T {{ fn f(); }}{}", "\n".repeat(99))).len(), 0);
    assert_eq!(
        warnings(path, &format!("struct S(fn(u8));{}fn f() {{}}", "\n".repeat(99))).len(),
        0
    );
}

#[test]
fn unsafe_code_outside_its_islands_is_refused() {
    let path = "crates/stockade/src/lib.rs";
    for text in ["unsafe { f() }", "unsafe fn f() {}", "unsafe impl S for T {}", "unsafe extern {}"]
    {
        assert_eq!(errors(path, text), [format!("{path}:1")], "{text}");
        assert_eq!(errors("crates/stockade-namespace/src/sys/clone.rs", text).len(), 0);
        assert_eq!(errors("crates/stockade-warden/src/image/main.rs", text).len(), 0);
    }
    assert_eq!(errors(path, "#![forbid(unsafe_code)]\n// unsafe { f() }\n").len(), 0);
}

#[test]
fn ignored_tests_are_refused() {
    let path = "crates/stockade/tests/it/main.rs";
    assert_eq!(errors(path, "#[test]\n#[ignore]\nfn f() {}"), [format!("{path}:2")]);
    assert_eq!(errors(path, "#[ignore = \"slow\"]").len(), 1);
    assert_eq!(errors(path, "#[cfg_attr(unix, ignore)]").len(), 1);
    assert_eq!(errors(path, "#[test]\nfn f() { ignore(); }").len(), 0);
}

#[test]
fn missing_code_is_refused() {
    let path = "crates/stockade/src/lib.rs";
    assert_eq!(errors(path, "fn f() {\n    todo!()\n}"), [format!("{path}:2")]);
    assert_eq!(errors(path, "fn f() { unimplemented!(\"later\") }").len(), 1);
    assert_eq!(errors(path, "fn f() -> bool { todo != unimplemented }").len(), 0);
}

#[test]
fn names_that_say_nothing_are_refused() {
    for path in ["crates/stockade/src/utils.rs", "crates/stockade/tests/common/mod.rs", "misc.py"] {
        assert_eq!(errors(path, ""), [path]);
    }
    assert_eq!(errors("crates/stockade/src/commonality.rs", "").len(), 0);
}

#[test]
fn a_library_that_prints_is_refused() {
    let text = "fn f() { println!(\"x\") }";
    assert_eq!(errors("crates/stockade/src/lib.rs", text).len(), 1);
    assert_eq!(errors("crates/stockade/src/lib.rs", "fn f() { eprintln!() }").len(), 1);
    for path in [
        "crates/stockade/build.rs",
        "crates/stockade/src/plan/tests.rs",
        "crates/stockade/tests/it/main.rs",
        "crates/stockade-cli/src/main.rs",
        "examples/src/bin/stream.rs",
    ] {
        assert_eq!(errors(path, text).len(), 0, "{path}");
    }
}

#[test]
fn a_file_that_rustfmt_would_change_is_refused() {
    let folder = env::temp_dir().join(format!("xtask-format-{}", process::id()));
    fs::create_dir(&folder).expect("a folder of its own");
    fs::write(folder.join("rustfmt.toml"), "").expect("a writable folder");
    let check = |text: &str| {
        fs::write(folder.join("main.rs"), text).expect("a writable folder");
        format::check_file(&folder, "main.rs").len()
    };
    let found = [check("fn main() {}\n"), check("fn  main( ) { }\n")];
    fs::remove_dir_all(&folder).expect("the folder is removed");
    assert_eq!(found, [0, 1]);
}

#[test]
fn comments_and_literals_are_no_code() {
    let samples = [
        "// unsafe",
        "/* a /* unsafe */ unsafe */",
        "\"unsafe \\\" unsafe\"",
        "r\"unsafe\"",
        "br##\"a\"# unsafe\"##",
        "'\"' // unsafe \"",
        "'\\'' // unsafe",
    ];
    for sample in samples {
        assert_eq!(code::words(&code::blank(sample), "unsafe").count(), 0, "{sample}");
    }
    for sample in ["fn f<'a>(x: &'a str) { unsafe {} }", "'x'; unsafe {} 'y'", "r#fn(); unsafe {}"]
    {
        assert_eq!(code::words(&code::blank(sample), "unsafe").count(), 1, "{sample}");
    }
}

#[test]
fn blanking_keeps_every_line_in_its_place() {
    let text = "/* é\n */ \"a\nb\"\n'ü'; r#\"\n\"# end";
    let blank = code::blank(text);
    assert_eq!(blank.lines().count(), text.lines().count());
    assert!(blank.ends_with(" end"));
}

#[test]
fn the_root_holds_the_workspace_manifest() {
    assert!(workspace::root().join("Cargo.toml").is_file());
}

#[test]
fn a_test_that_an_argument_names_and_that_is_gone_is_found() {
    let sources = [
        Source::new(
            "crates/a/tests/it/walls.rs",
            "#[test]\nfn it_holds() {}\n// fn it_held() {}\n",
        ),
        Source::new("crates/a/src/pool/tests.rs", "#[test]\nfn it_is_full() {}\n"),
        Source::new("crates/b/image/guests/ring.rs", "pub fn attack() {}\n"),
    ];
    let places = |page: &str| -> Vec<String> {
        proofs::check(page, &sources).into_iter().map(|finding| finding.place).collect()
    };
    let good =
        "as `walls::it_holds`, `pool::it_is_full` and `attack::ring` show; `Kind::Limit` too\n";
    assert_eq!(places(good), Vec::<String>::new());
    let bad = "`walls::it_held`\n`walls::it_is_full`, `attack::walls` and `ring::attack`\n";
    assert_eq!(places(bad), ["SECURITY.md:1", "SECURITY.md:2", "SECURITY.md:2"]);
}

#[test]
fn a_binding_that_wants_other_features_is_found() {
    let graph = |features: &str| -> units::Graph {
        let unit = format!(
            r#"{{"pkg_id": "syn", "target": {{"name": "syn", "kind": ["lib"]}}, "mode": "build",
                "features": {features}}}"#
        );
        serde_json::from_str(&format!(r#"{{"units": [{unit}]}}"#)).expect("the sample is a graph")
    };
    let (few, many) = (graph(r#"["full"]"#), graph(r#"["full", "visit"]"#));
    assert_eq!(units::compare("Cargo.toml", &few, &few), []);
    let found = units::compare("Cargo.toml", &few, &many);
    assert_eq!(found.len(), 1);
    assert!(found[0].text.ends_with("features visit"), "{}", found[0].text);
}

#[test]
fn a_header_that_is_not_as_generated_is_found() {
    let generated = "#define A 1\nint32_t f(void);\n";
    assert_eq!(headers::compare(generated, generated), []);
    let find = |committed: &str| {
        let found = headers::compare(committed, generated);
        found.into_iter().map(|found| found.place).collect::<Vec<_>>()
    };
    assert_eq!(find("#define A 2\nint32_t f(void);\n"), [format!("{HEADER}:1")]);
    assert_eq!(find("#define A 1\nint32_t f();\n"), [format!("{HEADER}:2")]);
    assert_eq!(find("#define A 1\n"), [format!("{HEADER}:2")]);
    assert_eq!(find("#define A 1\nint32_t f(void);\n\n"), [format!("{HEADER}:4")]);
    assert_eq!(find("#define A 1\nint32_t f(void);"), [format!("{HEADER}:3")]);
    assert_eq!(find(""), [format!("{HEADER}:1")]);
}

#[test]
fn a_section_of_the_header_begins_with_what_its_file_says() {
    let modules = header::modules("//! All.\n\npub mod names;\nmod errors;\n// mod old;\n");
    assert_eq!(modules, ["names", "errors"]);
    let heading = header::heading("//! Errors.\n//!\n//! One\n//! two.\n\n//! not this\n");
    let lines: Vec<&str> = heading.lines().collect();
    assert_eq!(lines.len(), 7);
    assert!(lines[1].starts_with("/* Errors ----") && lines[1].len() <= 100);
    assert_eq!(lines[2..], [" *", " * One", " * two.", " */", ""]);
    assert!(header::heading("//! Errors\n").ends_with("-- */\n\n"));
}

#[test]
fn declarations_in_the_header_are_short() {
    let written = "/**\n * One.\n */\n#define A 1\n\n/**\n * Two, see [`A`].\n */\n#define B 2\n\n\
                   /**\n * Three\n * lines.\n */\nvoid f(const struct stockade_error *error);\n\n\
                   typedef struct stockade_error stockade_error;\n";
    let wanted = "/** One. */\n#define A 1\n/** Two, see `A`. */\n#define B 2\n\n\
                  /**\n * Three\n * lines.\n */\nvoid f(const stockade_error *error);\n\n\
                  typedef struct stockade_error stockade_error;\n";
    assert_eq!(header::compact(written), wanted);
    let long =
        |count: usize| format!("int32_t f({}int b);\n", "struct stockade_a *a, ".repeat(count));
    assert_eq!(
        header::compact(&long(5)),
        "int32_t f(".to_owned() + &"stockade_a *a, ".repeat(5) + "int b);\n"
    );
    let folded = header::compact(&long(7));
    let lines: Vec<&str> = folded.lines().collect();
    assert_eq!(lines.len(), 2);
    assert!(lines[0].ends_with("stockade_a *a,") && lines[0].len() <= 100);
    assert_eq!(lines[1], "          stockade_a *a, int b);");
}
