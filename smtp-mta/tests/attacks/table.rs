//! `docs/attacks.md` names what is there.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &str) -> Option<String> {
    fs::read_to_string(root().join(path)).ok()
}

/// The cells of each row.
fn rows(text: &str) -> Vec<Vec<&str>> {
    let rows = text.lines().filter(|line| line.starts_with("| S-"));
    rows.map(|line| line.trim_matches('|').split('|').map(str::trim).collect()).collect()
}

/// What stands between backticks.
fn named(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

fn ids_of(catalogue: &str) -> BTreeSet<String> {
    let text = read(catalogue).unwrap();
    let ids = text.lines().filter_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"'));
    ids.map(str::to_owned).collect()
}

/// Whether `file` has `function`, and that is a test.
fn is_test(file: &str, function: &str) -> bool {
    let Some(text) = read(file) else { return false };
    let lines: Vec<_> = text.lines().map(str::trim).collect();
    let at = |line: &str| line.contains(&format!("fn {function}("));
    let Some(place) = lines.iter().position(|line| at(line)) else { return false };
    // A macro of property tests names its functions without more.
    let attributes = lines[..place].iter().rev().take_while(|line| line.starts_with("#["));
    attributes.into_iter().any(|line| line.contains("test"))
}

#[test]
fn each_attack_is_answered_by_what_exists() {
    let text = read("docs/attacks.md").unwrap();
    let mut suite = ids_of("conformance/requirements.toml");
    suite.extend(ids_of("conformance/clients.toml"));
    let rows = rows(&text);
    assert_eq!(rows.len(), 72);
    let ids: BTreeSet<_> = rows.iter().map(|row| row[0]).collect();
    assert_eq!(ids.len(), rows.len(), "an id stands twice");
    let mut missing = Vec::new();
    for row in &rows {
        let [id, _, _, _, proof] = row[..] else { panic!("not five cells: {row:?}") };
        let proofs: Vec<_> = named(proof).collect();
        if proofs.is_empty() && !proof.starts_with("none: ") {
            missing.push(format!("{id}: neither a proof nor a reason"));
        }
        for proof in proofs {
            let exists = match proof.split_once("::") {
                Some((file, function)) => is_test(file, function),
                None => suite.contains(proof),
            };
            if !exists {
                missing.push(format!("{id}: {proof}"));
            }
        }
    }
    assert!(missing.is_empty(), "{missing:#?}");
}

#[test]
fn what_is_not_there_is_missed() {
    assert!(is_test("smtp-mta/tests/attacks/table.rs", "what_is_not_there_is_missed"));
    assert!(!is_test("smtp-mta/tests/attacks/table.rs", "is_test"));
    assert!(!is_test("smtp-mta/tests/attacks/table.rs", "nothing"));
    assert!(!is_test("nowhere.rs", "nothing"));
    assert_eq!(named("`A-1` and `b.rs::c`").collect::<Vec<_>>(), ["A-1", "b.rs::c"]);
}
