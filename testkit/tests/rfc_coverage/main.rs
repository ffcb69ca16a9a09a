//! `docs/rfc-coverage.md` is what the catalogues and the tests say: each row, and the tests that
//! answer it. A row without a test has a reason in `unanswered.toml`.

#![allow(clippy::panic, clippy::unwrap_used, reason = "this is how a test fails")]

mod answers;
mod page;

use answers::Answer;
use smtp_conformance::requirement::{self, Half};
use std::{
    collections::BTreeMap,
    env, fs,
    path::{Path, PathBuf},
};

/// The folders whose tests answer. The suite itself is not among them: it asks.
const CRATES: [&str; 7] = [
    "smtp-proto",
    "smtp-driver",
    "smtp-server-tokio",
    "smtp-server-smol",
    "smtp-client",
    "testkit",
    "smtp-mta",
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Why a row has no test, by its id.
fn reasons() -> BTreeMap<String, String> {
    toml::from_str(include_str!("unanswered.toml")).unwrap()
}

/// What is wrong with the answers and the reasons: nothing.
fn faults(answers: &[Answer], reasons: &BTreeMap<String, String>) -> Vec<String> {
    let mut faults = Vec::new();
    for Answer { rows, test, file } in answers {
        let unknown = rows.iter().filter(|row| requirement::find(row).is_none());
        faults.extend(unknown.map(|row| format!("{file}: {test} answers {row}, which is no row")));
    }
    for row in reasons.keys().filter(|row| requirement::find(row).is_none()) {
        faults.push(format!("unanswered.toml has {row}, which is no row"));
    }
    for row in [Half::Server, Half::Client].into_iter().flat_map(Half::requirements) {
        let answered = answers.iter().any(|answer| answer.rows.contains(&row.id));
        match (answered, reasons.contains_key(&row.id)) {
            (false, false) => faults.push(format!("{}: neither a test nor a reason", row.id)),
            (true, true) => faults.push(format!("{}: a test, and a reason for none", row.id)),
            _ => {}
        }
    }
    faults
}

#[test]
fn every_row_has_a_test_or_a_reason_and_the_page_says_which() {
    let answers = answers::of(&root(), &CRATES);
    let reasons = reasons();
    let faults = faults(&answers, &reasons);
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    let page = page::of(&answers, &reasons);
    let path = root().join("docs/rfc-coverage.md");
    if env::var_os("UPDATE_DOCS").is_some() {
        fs::write(&path, &page).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap_or_default();
    assert!(written == page, "docs/rfc-coverage.md is stale; see its first lines");
}

#[test]
fn a_row_without_a_test_and_a_test_without_a_row_are_missed() {
    let mut answers = answers::of(&root(), &CRATES);
    let mut reasons = reasons();
    answers.retain(|answer| !answer.rows.contains(&"SEQ-01".into()));
    answers.push(Answer { rows: vec!["SEQ-99".into()], test: "t".into(), file: "f".into() });
    reasons.insert("SEQ-02".into(), "none".into());
    let faults = faults(&answers, &reasons);
    assert_eq!(
        faults,
        [
            "f: t answers SEQ-99, which is no row",
            "SEQ-01: neither a test nor a reason",
            "SEQ-02: a test, and a reason for none",
        ]
    );
}
