//! Which tests of a source tree answer which rows: the ids that the doc comment of a test begins
//! with, as in `/// SEQ-03, SEQ-04, §3.3` or `/// EOD-01 to EOD-08: what is no end of data`.

use std::{fs, path::Path};

/// A test, and the rows that it answers.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) rows: Vec<String>,
    pub(crate) test: String,
    /// From the root of the workspace.
    pub(crate) file: String,
}

/// The answers in the sources of `crates`, by crate, file and line.
pub(crate) fn of(root: &Path, crates: &[&str]) -> Vec<Answer> {
    let mut answers = Vec::new();
    for name in crates {
        in_folder(root, name, &mut answers);
    }
    answers
}

fn in_folder(root: &Path, folder: &str, answers: &mut Vec<Answer>) {
    let entries = fs::read_dir(root.join(folder)).unwrap();
    let mut entries: Vec<_> = entries.map(|entry| entry.unwrap()).collect();
    entries.sort_by_key(|entry| entry.file_name());
    for entry in entries {
        let path = format!("{folder}/{}", entry.file_name().to_str().unwrap());
        if entry.file_type().unwrap().is_dir() {
            in_folder(root, &path, answers);
        } else if path.ends_with(".rs") {
            in_source(&fs::read_to_string(entry.path()).unwrap(), &path, answers);
        }
    }
}

/// Reads lines, for a test stands as rustfmt leaves it: doc comment, attributes, function.
fn in_source(text: &str, file: &str, answers: &mut Vec<Answer>) {
    let mut doc = String::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(more) = line.strip_prefix("///") {
            doc += more;
            continue;
        } else if line.starts_with("#[") {
            is_test |= line == "#[test]" || line.starts_with("#[tokio::test");
            continue;
        } else if let Some(rest) = function(line).filter(|_| is_test) {
            let test: String = rest.chars().take_while(|c| *c != '(').collect();
            let rows = rows(&doc);
            if !rows.is_empty() {
                answers.push(Answer { rows, test, file: file.into() });
            }
        }
        doc.clear();
        is_test = false;
    }
}

/// The name of the function that `line` begins, and what follows.
fn function(line: &str) -> Option<&str> {
    line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ")
}

/// The ids that `doc` begins with: `A-01, A-03 to A-05` are four.
fn rows(doc: &str) -> Vec<String> {
    let mut rows = Vec::new();
    let mut rest = doc.trim_start();
    while let Some((id, behind)) = id(rest) {
        rest = behind;
        rows.push(format!("{}-{:02}", id.0, id.1));
        if let Some((last, behind)) = behind.strip_prefix(" to ").and_then(self::id) {
            rest = behind;
            rows.extend((id.1 + 1..=last.1).map(|number| format!("{}-{number:02}", id.0)));
        }
        rest = rest.strip_prefix(", ").unwrap_or_default();
    }
    rows
}

/// The family and the number of the id at the start of `text`, and what follows.
fn id(text: &str) -> Option<((&str, u8), &str)> {
    let is_of_id = |c: char| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '-';
    let end = text.find(|c| !is_of_id(c)).unwrap_or(text.len());
    let (id, behind) = text.split_at(end);
    let (family, number) = id.rsplit_once('-')?;
    let number = number.parse().ok().filter(|_| number.len() == 2)?;
    Some(((family, number), behind))
}

#[test]
fn the_rows_are_the_ids_in_front() {
    assert_eq!(rows(" SEQ-03, SEQ-04, §3.3, SEQ-05"), ["SEQ-03", "SEQ-04"]);
    assert_eq!(rows(" SEC-TLS-01, CVE-2026-45185"), ["SEC-TLS-01"]);
    assert_eq!(rows(" EOD-07 to EOD-09, C-01: no end"), ["EOD-07", "EOD-08", "EOD-09", "C-01"]);
    assert!(rows(" Like SEQ-03").is_empty());
}

#[test]
fn only_a_test_answers() {
    let text =
        "/// A-01, A-02\n#[test]\nfn one() {}\n/// A-03\nfn helper() {}\n#[test]\nfn two() {}";
    let mut answers = Vec::new();
    in_source(text, "f.rs", &mut answers);
    let rows = vec!["A-01".into(), "A-02".into()];
    assert_eq!(answers, [Answer { rows, test: "one".into(), file: "f.rs".into() }]);
}
