//! What the chapters show stands in the files that they name.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test fails by panicking")]

use std::{
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The chapters, by name.
fn chapters() -> Vec<(String, String)> {
    let entries = fs::read_dir(env!("CARGO_MANIFEST_DIR")).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let pages = paths.filter(|path| path.extension().is_some_and(|it| it == "md"));
    let name = |path: &Path| path.file_name().unwrap().to_str().unwrap().to_owned();
    pages.map(|path| (name(&path), fs::read_to_string(&path).unwrap())).collect()
}

/// Lines without their indentation and without empty ones.
fn lines(text: &str) -> Vec<&str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect()
}

/// Where `part` begins in `file`.
fn find(file: &[&str], part: &[&str]) -> Option<usize> {
    file.windows(part.len()).position(|window| window == part)
}

#[test]
fn every_block_of_code_stands_in_the_file_that_is_named_above_it() {
    let mut blocks = 0;
    for (page, text) in chapters() {
        for (block, before) in text.match_indices("\n```").step_by(2).map(|(at, _)| {
            let (before, after) = text.split_at(at);
            (after[4..].split("\n```").next().unwrap(), before)
        }) {
            let (language, code) = block.split_once('\n').unwrap();
            if ["text", "toml", "sh"].contains(&language) {
                continue;
            }
            let above = before.lines().last().unwrap();
            let file = above.strip_prefix("<!-- ").and_then(|it| it.strip_suffix(" -->"));
            let file = file.unwrap_or_else(|| panic!("{page}: no file is named above:\n{code}"));
            let source = fs::read_to_string(root().join(file)).unwrap();
            let source = lines(&source);
            // What is left out is marked, or is a blank line.
            for part in code.split("// …").flat_map(|part| part.split("\n\n")) {
                let part = lines(part);
                assert!(
                    part.is_empty() || find(&source, &part).is_some(),
                    "{page}: not in {file}:\n{}",
                    part.join("\n")
                );
            }
            blocks += 1;
        }
    }
    assert!(blocks > 25, "{blocks}");
}

#[test]
fn every_link_leads_to_a_file_and_the_index_names_every_chapter() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let pages = chapters();
    for (page, text) in &pages {
        for link in text.split("](").skip(1).filter_map(|rest| rest.split([')', '#']).next()) {
            assert!(folder.join(link).exists(), "{page} links to {link}");
        }
    }
    let index = &pages.iter().find(|(page, _)| page == "README.md").unwrap().1;
    for (page, _) in &pages {
        assert!(page == "README.md" || index.contains(&format!("]({page})")), "{page}");
    }
}
