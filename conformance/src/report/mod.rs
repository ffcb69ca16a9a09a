//! What a run found, in the forms that people and programs read.

pub mod html;
pub mod json;
pub mod junit;
pub mod sarif;
pub mod text;

use crate::{
    case::Report,
    outcome::{Place, Verdict},
    requirement::{self, Half, Level},
    transcript::Line,
};
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// The name of a verdict, without its reason.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Status {
    /// A requirement is broken.
    #[serde(rename = "fail")]
    Fail,
    /// A recommendation is not followed.
    #[serde(rename = "warn")]
    Warn,
    /// The suite itself failed.
    #[serde(rename = "error")]
    Error,
    /// The way to the test did not go as planned.
    #[serde(rename = "inconclusive")]
    Inconclusive,
    /// Something was missing to test it.
    #[serde(rename = "not tested")]
    NotTested,
    /// It does not concern this server.
    #[serde(rename = "not applicable")]
    NotApplicable,
    /// The server does what it must.
    #[serde(rename = "pass")]
    Pass,
}

impl Status {
    /// All of them, the worst first.
    pub const ALL: [Self; 7] = [
        Self::Fail,
        Self::Warn,
        Self::Error,
        Self::Inconclusive,
        Self::NotTested,
        Self::NotApplicable,
        Self::Pass,
    ];

    /// As it is written in reports and in files of expected deviations.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Warn => "warn",
            Self::Error => "error",
            Self::Inconclusive => "inconclusive",
            Self::NotTested => "not tested",
            Self::NotApplicable => "not applicable",
            Self::Pass => "pass",
        }
    }

    /// A sign for it that needs no colour.
    pub fn sign(self) -> char {
        match self {
            Self::Fail => '✗',
            Self::Warn => '▲',
            Self::Error => '‼',
            Self::Inconclusive => '?',
            Self::NotTested => '○',
            Self::NotApplicable => '–',
            Self::Pass => '✓',
        }
    }
}

impl From<&Verdict> for Status {
    fn from(verdict: &Verdict) -> Self {
        match verdict {
            Verdict::Pass => Self::Pass,
            Verdict::Warn(_) => Self::Warn,
            Verdict::Fail(_) => Self::Fail,
            Verdict::NotApplicable(_) => Self::NotApplicable,
            Verdict::NotTested(_) => Self::NotTested,
            Verdict::Inconclusive(_) => Self::Inconclusive,
            Verdict::Error(_) => Self::Error,
        }
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What was run, and against what.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subject {
    /// Who was judged.
    #[serde(default)]
    pub half: Half,
    /// The server, as it was named; or the client.
    pub server: String,
    /// The server's name and version, as the operator told it; empty if nobody did.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub software: String,
    /// The file that describes it, as it was named: a target file or a sender file; empty if there
    /// is none.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub file: String,
    /// The day of the run in UTC, such as `2027-01-31`; empty in reports that do not say it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// The first line of a server's greeting; empty if it was not heard.
    #[serde(default)]
    pub greeting: String,
    /// The profile.
    pub profile: crate::profile::Profile,
    /// Makes the messages of the run its own.
    pub seed: u64,
    /// The command line that runs the same server again, without filters and outputs.
    pub command: String,
    /// What is worth knowing about the run as a whole.
    #[serde(default)]
    pub remarks: Vec<String>,
}

/// What a run found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// The version of this form; it grows when a field changes its meaning or goes.
    pub schema: u32,
    /// The version of the suite.
    pub suite: String,
    /// What was run.
    #[serde(flatten)]
    pub subject: Subject,
    /// How long it took.
    pub milliseconds: u64,
    /// What was found, in the catalogue's order.
    pub results: Vec<Row>,
    /// Where the expected deviations and the run disagree.
    pub surprises: Vec<crate::expect::Surprise>,
}

/// What was found about one requirement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Row {
    /// The requirement.
    pub id: String,
    /// The verdict.
    pub verdict: Status,
    /// What was expected and what came, or what was missing; empty for a pass.
    pub reason: String,
    /// Where in the sessions it was seen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Place>,
    /// Why this deviation is expected, if a file says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// It is not to be shown to others before the server's authors know of it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub withheld: bool,
    /// Where the requirement is written.
    pub reference: String,
    /// How strongly it binds in this profile.
    pub level: Level,
    /// What passes.
    pub pass: String,
    /// What fails.
    pub fail: String,
    /// Why it matters.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub why: String,
    /// The dialogues, session by session.
    pub sessions: Vec<Vec<Line>>,
    /// How long it took.
    pub milliseconds: u64,
}

/// The version of [`Document`].
pub const SCHEMA: u32 = 1;

impl Document {
    /// What `reports` say about `subject`.
    pub fn new(subject: Subject, reports: Vec<Report>, took: Duration) -> Self {
        let profile = subject.profile;
        let rows = reports.into_iter().filter_map(|report| {
            let requirement = requirement::find(report.id)?;
            Some(Row {
                id: report.id.to_owned(),
                verdict: Status::from(&report.verdict),
                reason: report.verdict.reason().to_owned(),
                place: report.verdict.place(),
                expected: None,
                withheld: false,
                reference: requirement.reference.clone(),
                level: profile.level(requirement),
                pass: requirement.pass.clone(),
                fail: requirement.fail.clone(),
                why: requirement.why.clone(),
                sessions: report.sessions,
                milliseconds: milliseconds(report.took),
            })
        });
        Self {
            schema: SCHEMA,
            suite: env!("CARGO_PKG_VERSION").to_owned(),
            results: rows.collect(),
            subject,
            milliseconds: milliseconds(took),
            surprises: Vec::new(),
        }
    }

    /// How many rows have this verdict.
    pub fn count(&self, status: Status) -> usize {
        self.rows(status).count()
    }

    /// The rows with this verdict.
    pub fn rows(&self, status: Status) -> impl Iterator<Item = &Row> {
        self.results.iter().filter(move |row| row.verdict == status)
    }

    /// The rows with this verdict that nobody expected.
    pub fn unexpected(&self, status: Status) -> impl Iterator<Item = &Row> {
        self.rows(status).filter(|row| row.expected.is_none())
    }

    /// Whether the run is red: a failure that nobody expected, an error of the suite, or a surprise.
    pub fn is_red(&self) -> bool {
        self.unexpected(Status::Fail).next().is_some()
            || self.unexpected(Status::Error).next().is_some()
            || !self.surprises.is_empty()
    }

    /// The command line that runs `row` alone.
    pub fn reproducer(&self, row: &Row) -> String {
        let command = &self.subject.command;
        match command.split_once(" -- ") {
            Some((own, client)) => format!("{own} --only {} -- {client}", row.id),
            None => format!("{command} --only {}", row.id),
        }
    }

    /// Where `row` is written, what was said, with a mark at the line that was judged, and the
    /// command line that runs it alone.
    pub(crate) fn dialogue(&self, row: &Row) -> String {
        let mut text = format!("{} {}\n", row.level.as_str(), row.reference);
        for (number, session) in row.sessions.iter().enumerate() {
            let line = |(n, line): (usize, &Line)| {
                format!("{}{line}\n", if row.is_place(number, n) { "--> " } else { "    " })
            };
            text.extend(session.iter().enumerate().map(line));
        }
        text.push_str(&self.reproducer(row));
        text
    }
}

impl Row {
    /// The letters in front of its number.
    pub fn family(&self) -> &str {
        self.id.rsplit_once('-').map_or(self.id.as_str(), |(family, _)| family)
    }

    /// Whether `line` of `session` is where the deviation was seen.
    pub fn is_place(&self, session: usize, line: usize) -> bool {
        self.place == Some(Place { session, line })
    }
}

fn milliseconds(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}

/// The rows with this verdict, by their reason, those with the most rows first.
pub fn by_reason(document: &Document, status: Status) -> Vec<(&str, Vec<&str>)> {
    let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
    for row in document.rows(status) {
        match groups.iter_mut().find(|(reason, _)| *reason == row.reason) {
            Some((_, ids)) => ids.push(&row.id),
            None => groups.push((&row.reason, vec![&row.id])),
        }
    }
    groups.sort_by_key(|(_, ids)| std::cmp::Reverse(ids.len()));
    groups
}

#[cfg(test)]
pub(crate) mod sample {
    use super::*;
    use crate::outcome::Finding;

    /// A run against a server that says what would break a page, a terminal or an XML file.
    pub(crate) fn hostile() -> Document {
        let evil = "500 </script><script>alert(1)</script> & \"]]>' \u{1b}[2J\u{0}";
        let line = Line::Server(evil.into());
        let place = Some(Place { session: 0, line: 1 });
        let report = |id, verdict| Report {
            id,
            verdict,
            sessions: vec![vec![Line::Client("MAIL FROM:<a@b.test>".into()), line.clone()]],
            took: Duration::from_millis(12),
        };
        let reports = vec![
            report("SEQ-05", Verdict::Fail(Finding { what: evil.into(), place })),
            report("SEQ-06", Verdict::Warn(Finding { what: evil.into(), place })),
            report("SEQ-07", Verdict::NotTested("needs 2 existing recipients".into())),
            report("SEQ-08", Verdict::Pass),
            report("EOD-01", Verdict::Error("the case panicked".into())),
            report("EOD-02", Verdict::Inconclusive(Finding { what: "closed".into(), place: None })),
            report("EOD-03", Verdict::NotApplicable("not offered".into())),
        ];
        let subject = Subject {
            half: Half::Server,
            server: "127.0.0.1:25".into(),
            software: "Sample 1.0".into(),
            file: "smtp/my target.toml".into(),
            date: "2026-06-15".into(),
            greeting: evil.into(),
            profile: crate::profile::Profile::Default,
            seed: 7,
            command: "smtp-conformance server 127.0.0.1:25".into(),
            remarks: vec![evil.into()],
        };
        Document::new(subject, reports, Duration::from_secs(2))
    }
}
