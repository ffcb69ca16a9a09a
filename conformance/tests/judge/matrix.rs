//! Which cases see which fault, as `faults.md` says it.

use crate::{faulty::fault::Fault, unproven};
use smtp_conformance::{case::Case, outcome::Verdict};
use std::{
    collections::{BTreeMap, BTreeSet},
    fmt::Write as _,
    fs,
    path::PathBuf,
};

/// What a case says to a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mark {
    /// It fails.
    Fail,
    /// It warns.
    Warn,
}

impl Mark {
    /// What it comes to in the matrix; nothing for a case that does not see the fault.
    pub(crate) fn of(verdict: &Verdict) -> Option<Self> {
        match verdict {
            Verdict::Fail(_) => Some(Self::Fail),
            Verdict::Warn(_) => Some(Self::Warn),
            _ => None,
        }
    }
}

/// Fault by fault, the cases that see it.
#[derive(Debug, Default)]
pub(crate) struct Matrix {
    /// Faults that nothing sees have no row.
    pub(crate) rows: BTreeMap<Fault, BTreeMap<String, Mark>>,
    /// Faults that are written down, seen or not.
    named: BTreeSet<Fault>,
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("faults.md")
}

/// What is committed, in its two parts: on servers, and on clients.
fn parts() -> (String, String) {
    let mut servers = fs::read_to_string(file()).unwrap_or_default();
    let clients = servers.split_off(servers.find("## Clients\n").unwrap_or(servers.len()));
    (servers, clients)
}

impl Matrix {
    /// What is committed; empty if nothing is.
    pub(crate) fn read() -> Self {
        let mut matrix = Self::default();
        for line in parts().0.lines() {
            let cells: Vec<_> = line.split(" | ").collect();
            let [name, _, failed, warned] = cells[..] else { continue };
            let name = name.trim_start_matches("| ");
            let Some(&fault) = Fault::ALL.iter().find(|f| format!("{f:?}") == name) else {
                continue;
            };
            matrix.named.insert(fault);
            for (cell, mark) in [(failed, Mark::Fail), (warned, Mark::Warn)] {
                for id in cell.split([' ', '|']).filter(|id| id.contains('-') && id.len() > 1) {
                    matrix.put(fault, id, Some(mark));
                }
            }
        }
        matrix
    }

    /// What `id` says to `fault`.
    pub(crate) fn mark(&self, fault: Fault, id: &str) -> Option<Mark> {
        self.rows.get(&fault)?.get(id).copied()
    }

    /// Whether nothing is written about `fault`, or nothing about the case `id`.
    pub(crate) fn lacks(&self, fault: Fault, id: &str) -> bool {
        !self.named.contains(&fault) || self.seen_by(id).is_empty()
    }

    /// Notes it.
    pub(crate) fn put(&mut self, fault: Fault, id: &str, mark: Option<Mark>) {
        if let Some(mark) = mark {
            self.rows.entry(fault).or_default().insert(id.to_owned(), mark);
        }
    }

    /// The faults that `id` sees: those for which it fails, or, where it only warns, those.
    fn seen_by(&self, id: &str) -> Vec<Fault> {
        let rows = self.rows.iter();
        rows.filter(|(_, marks)| marks.contains_key(id)).map(|(fault, _)| *fault).collect()
    }

    fn text(&self, cases: &[Case]) -> String {
        let mut text = String::from(
            "# The judge is judged\n\n\
             <!-- Written by `UPDATE_DOCS=1 cargo test -p smtp-conformance --test judge`. -->\n\n\
             A server built for it ([`tests/faulty`](tests/faulty)) does one thing wrong at a time. \
             The faults are behaviours of a server, written before the cases were looked at, but \
             for those marked \\*, which were made for a case. A server without a fault passes, \
             whatever habits it has that few others have; grades are those of the profile `strict`.\n\n",
        );
        let pairs: usize = self.rows.values().map(BTreeMap::len).sum();
        let unproven = unproven::UNPROVEN.len();
        let _ = writeln!(
            text,
            "{} faults, {} of them seen; {} cases, {} of them proven by a fault; {pairs} pairs.\n",
            Fault::ALL.len(),
            self.rows.len(),
            cases.len(),
            cases.iter().filter(|case| !self.seen_by(case.id).is_empty()).count(),
        );
        text.push_str("## Faults, and the cases that see them\n\n");
        text.push_str(
            "| Fault | The server | Cases that fail | Cases that warn |\n|---|---|---|---|\n",
        );
        for &fault in Fault::ALL {
            let marks = self.rows.get(&fault).cloned().unwrap_or_default();
            let with = |wanted: Mark| {
                let ids = marks.iter().filter(|(_, mark)| **mark == wanted);
                ids.map(|(id, _)| id.as_str()).collect::<Vec<_>>().join(" ")
            };
            let star = if unproven::MADE_FOR_A_CASE.contains(&fault) { " \\*" } else { "" };
            let (failed, warned) = (with(Mark::Fail), with(Mark::Warn));
            let _ =
                writeln!(text, "| {fault:?} | {}{star} | {failed} | {warned} |", fault.sentence());
        }
        text.push_str("\n## Cases that one fault shows\n\n");
        for case in cases {
            let [fault] = self.seen_by(case.id)[..] else { continue };
            let made =
                if unproven::MADE_FOR_A_CASE.contains(&fault) { ", made for it" } else { "" };
            let _ = writeln!(text, "- {}: {fault:?}{made}", case.id);
        }
        if unproven > 0 {
            let _ = writeln!(text, "\n## {unproven} cases that no fault shows, and why\n");
        }
        for (id, why) in unproven::UNPROVEN {
            let _ = writeln!(text, "- {id}: {why}");
        }
        text.push_str("\n## Faults that no case sees, and why\n\n");
        for (fault, why) in unproven::UNSEEN {
            let _ = writeln!(text, "- {fault:?}: {why}");
        }
        text.push('\n');
        text
    }

    /// Writes the part of `faults.md` that is about servers; behind it is that about clients.
    pub(crate) fn write(&self, cases: &[Case]) {
        let (_, clients) = parts();
        let text = self.text(cases) + &clients;
        fs::write(file(), text).expect("faults.md can be written");
    }

    /// What is committed is what would be written.
    pub(crate) fn compare(&self, cases: &[Case]) {
        let (servers, _) = parts();
        assert!(servers == self.text(cases), "faults.md is old: UPDATE_DOCS=1 writes it");
    }

    /// Each case sees a fault and each fault is seen, or it is said why not.
    pub(crate) fn check(&self, cases: &[Case]) {
        let silent: BTreeSet<_> =
            cases.iter().map(|case| case.id).filter(|id| self.seen_by(id).is_empty()).collect();
        let excused: BTreeSet<_> = unproven::UNPROVEN.iter().map(|(id, _)| *id).collect();
        let unseen: BTreeSet<_> =
            Fault::ALL.iter().filter(|fault| !self.rows.contains_key(fault)).copied().collect();
        let known: BTreeSet<_> = unproven::UNSEEN.iter().map(|(fault, _)| *fault).collect();
        let difference = (
            silent.difference(&excused).collect::<Vec<_>>(),
            excused.difference(&silent).collect::<Vec<_>>(),
            unseen.difference(&known).collect::<Vec<_>>(),
            known.difference(&unseen).collect::<Vec<_>>(),
        );
        let (unproven, proven, lost, found) = &difference;
        assert!(
            unproven.is_empty() && proven.is_empty() && lost.is_empty() && found.is_empty(),
            "cases that no fault shows: {unproven:?}\ncases that are shown after all: {proven:?}\n\
             faults that no case sees: {lost:?}\nfaults that are seen after all: {found:?}"
        );
    }
}
