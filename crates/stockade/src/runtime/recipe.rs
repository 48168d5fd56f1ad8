//! What runtimes are made from: the files under `runtimes/`, carried in this library.

use super::Language;

/// A file of a recipe.
pub(super) struct Ingredient {
    pub(super) name: &'static str,
    pub(super) text: &'static str,
}

macro_rules! ingredients {
    ($folder:literal: $($name:literal),+ $(,)?) => {
        &[$(Ingredient {
            name: $name,
            text: include_str!(concat!("../../runtimes/", $folder, "/", $name)),
        }),+]
    };
}

/// The files that a build begins with.
pub(super) const fn ingredients(language: Language) -> &'static [Ingredient] {
    match language {
        Language::Python => {
            ingredients!("python": "app.py", "stdlib.py", "loop.py", "world.wit", "requirements.txt")
        }
        Language::JavaScript => {
            ingredients!("javascript": "main.c", "host.c", "host.h", "tools.txt", "sources.txt")
        }
    }
}

/// Whose work a runtime is, and on which terms.
pub(super) const fn notice(language: Language) -> &'static str {
    match language {
        Language::Python => include_str!("../../runtimes/python/NOTICE.txt"),
        Language::JavaScript => include_str!("../../runtimes/javascript/NOTICE.txt"),
    }
}
