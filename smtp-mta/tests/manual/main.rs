//! The examples of the manual, run.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod configuration;
mod console;
#[allow(dead_code, reason = "each test file uses a part of it")]
#[path = "../relay/far.rs"]
mod far;
mod first_mail;
mod load_test;
mod queue;
#[path = "../site/mod.rs"]
mod site;

#[test]
fn the_index_of_the_manual_names_every_chapter() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/manual");
    let index = std::fs::read_to_string(format!("{folder}/README.md")).unwrap();
    for chapter in std::fs::read_dir(folder).unwrap() {
        let name = chapter.unwrap().file_name().into_string().unwrap();
        assert!(name == "README.md" || index.contains(&format!("]({name}")), "{name}");
    }
}
