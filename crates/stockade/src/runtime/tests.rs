use std::path::Path;

use super::{Language, recipe};

#[test]
fn a_source_file_is_known_by_the_end_of_its_name() {
    let of = |name: &str| Language::of_source(Path::new(name));
    assert_eq!(of("/data/job.py"), Some(Language::Python));
    assert_eq!(of("job.js"), Some(Language::JavaScript));
    assert_eq!(of("job.mjs"), Some(Language::JavaScript));
    for other in ["py", ".py", "job.pyc", "job", "python", "job.py/x"] {
        assert_eq!(of(other), None, "{other}");
    }
}

#[test]
fn every_package_of_a_recipe_is_bound_to_a_hash() {
    for language in Language::ALL {
        let files = recipe::ingredients(language).iter();
        let lists: Vec<_> = files.filter(|file| file.name.ends_with(".txt")).collect();
        assert!(!lists.is_empty());
        for list in lists {
            let packages = list.text.matches("==").count();
            assert!(packages > 0 && list.text.matches("--hash=sha256:").count() >= packages);
        }
        assert!(!recipe::notice(language).is_empty());
    }
}
