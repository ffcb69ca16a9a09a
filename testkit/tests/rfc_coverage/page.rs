//! The page: a chapter for servers and one for clients, a table for each family of rows.

use crate::answers::Answer;
use smtp_conformance::requirement::{Half, Requirement};
use std::{collections::BTreeMap, fmt::Write};

const HEAD: &str = "\
# What the RFCs ask for, and the tests that answer

Made from the catalogues of the conformance suite (`conformance/requirements.toml`, `conformance/clients.toml`) and from
the doc comments of the tests, which begin with the ids of the rows that they answer; a test compares them. To write it
anew: `UPDATE_DOCS=1 cargo test -p testkit --test rfc_coverage`.

Tests of `smtp-proto` are dialogues with the machine, those of `smtp-driver` and the adapters see it over streams, those
of `smtp-mta` see a whole mail server: what a library cannot do alone, such as to store a message or to send a notice, is
answered there. A row without a test says why. Besides, `conformance/peers/run` and `conformance/senders/run` judge the
servers and the client by every row, over sockets; [the matrix](matrix.html) has what comes of it.
";

/// The whole page.
pub(crate) fn of(answers: &[Answer], reasons: &BTreeMap<String, String>) -> String {
    let mut page = HEAD.to_owned();
    for (half, title) in
        [(Half::Server, "What a server must do"), (Half::Client, "What a client must do")]
    {
        let rows = half.requirements();
        let answered = rows.iter().filter(|row| !reasons.contains_key(&row.id)).count();
        writeln!(page, "\n## {title}\n\n{answered} of {} rows have a test.", rows.len()).unwrap();
        let mut families: Vec<&str> = Vec::new();
        for row in rows {
            if !families.contains(&row.family()) {
                families.push(row.family());
            }
        }
        for family in families {
            if half == Half::Server {
                writeln!(page, "\n### {family}").unwrap();
            }
            page += "\n| row | written in | | what passes | answered by |\n|---|---|---|---|---|\n";
            for row in rows.iter().filter(|row| row.family() == family) {
                let Requirement { id, reference, level, pass, .. } = row;
                let answer = match reasons.get(id) {
                    Some(reason) => format!("none: {}", plain(reason)),
                    None => tests(answers, id),
                };
                let (reference, level) = (plain(reference), level.as_str());
                let pass = plain(pass);
                writeln!(page, "| {id} | {reference} | {level} | {pass} | {answer} |").unwrap();
            }
        }
    }
    page
}

/// The tests that answer `row`, as links.
fn tests(answers: &[Answer], row: &str) -> String {
    let answers = answers.iter().filter(|answer| answer.rows.iter().any(|id| id == row));
    let links = answers.map(|Answer { test, file, .. }| {
        let name = file.split_once('/').map_or(file.as_str(), |(name, _)| name);
        format!("{name}: [{test}](../{file})")
    });
    links.collect::<Vec<_>>().join("<br>")
}

/// `text` as a cell of a table that shows what it says.
fn plain(text: &str) -> String {
    let mut cell = String::new();
    for c in text.chars() {
        match c {
            '\\' | '|' | '<' | '>' | '*' | '_' | '`' | '[' | ']' | '~' => cell.extend(['\\', c]),
            c => cell.push(c),
        }
    }
    cell
}
