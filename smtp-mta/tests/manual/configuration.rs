//! The chapters that check a file.

use crate::console;
use std::fs;

#[test]
fn the_file_is_right_as_the_reference_says() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("mta.toml"), include_str!("../../example.toml")).unwrap();
    console::run("configuration.md", folder.path());
}

#[test]
fn the_side_by_side_of_postfix_is_a_right_file() {
    let chapter = console::read("coming-from-postfix.md");
    let table = console::blocks(&chapter, "text")[0];
    // The right column, which begins where that of the first line does.
    let column = table.lines().next().unwrap().find("# mta.toml").unwrap();
    let ours: Vec<_> = table.lines().map(|line| line.get(column..).unwrap_or("")).collect();
    let folder = tempfile::tempdir().unwrap();
    let config = smtp_mta::config::Config::parse(&ours.join("\n"), folder.path()).unwrap();
    assert_eq!(config.routes.len(), 1);
    assert_eq!(config.domains.len(), 1);
}
