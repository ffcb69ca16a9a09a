//! The report on a pair, as text and as JSON: `docs/manual/smuggling.md` describes both.

use super::{Passed, Received, Row};
use crate::{report::text::Style, transcript::Line};
use serde::Serialize;
use std::{
    collections::BTreeMap,
    fmt::{self, Write},
};

/// The version of the JSON report.
pub const SCHEMA: u32 = 1;
/// Lines of a dialogue that are shown.
const SHOWN: usize = 40;

/// One of the two.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Server {
    /// Where it listens.
    pub address: String,
    /// Its name and version, if they were told.
    pub software: String,
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.software.as_str() {
            "" => f.write_str(&self.address),
            software => write!(f, "{software} ({})", self.address),
        }
    }
}

/// All that is known of a pair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Document {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The version of the suite.
    pub suite: &'static str,
    /// The server that relays.
    pub sender: Server,
    /// The server that it relays to.
    pub receiver: Server,
    /// The day of the run in UTC.
    pub date: String,
    /// Stands in each message of the run.
    pub seed: u64,
    /// The command line that runs one form again, without the form.
    pub command: String,
    /// How long it took.
    pub milliseconds: u64,
    /// A row for each form.
    pub results: Vec<Row>,
}

impl Document {
    /// Whether anything was smuggled.
    pub fn is_red(&self) -> bool {
        self.results.iter().any(Row::is_smuggled)
    }
}

/// Writes the report as JSON.
///
/// # Errors
/// None that a report can cause.
pub fn json(document: &Document) -> Result<String, serde_json::Error> {
    serde_json::to_string_pretty(document).map(|text| text + "\n")
}

/// Writes the report as text: a line for each form, the dialogues of what was smuggled, and a summary;
/// the summary alone if `quiet`.
pub fn text(document: &Document, style: Style, quiet: bool) -> String {
    let mut out = String::new();
    // Writing into a String never fails.
    let _: fmt::Result = write_text(&mut out, document, style, quiet);
    out
}

fn write_text(out: &mut String, document: &Document, style: Style, quiet: bool) -> fmt::Result {
    if !quiet {
        table(out, document, style)?;
        for row in &document.results {
            if style.verbose || row.is_smuggled() {
                dialogues(out, document, row, style)?;
            }
        }
        writeln!(out)?;
    }
    writeln!(out, "{} relays to {}", document.sender, document.receiver)?;
    let smuggled: Vec<_> = document.results.iter().filter(|row| row.is_smuggled()).collect();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for row in &document.results {
        *counts.entry(row.sender.name()).or_default() += 1;
    }
    let counts: Vec<_> = counts.iter().map(|(name, count)| format!("{count} {name}")).collect();
    writeln!(out, "{} forms: {}", document.results.len(), counts.join(", "))?;
    let verdict = match smuggled.len() {
        0 => style.code("32", "nothing was smuggled"),
        n => {
            let names: Vec<_> = smuggled.iter().map(|row| row.form).collect();
            style.code("1;31", &format!("{n} SMUGGLED: {}", names.join(", ")))
        }
    };
    let seconds = document.milliseconds / 1000;
    writeln!(out, "{verdict}, in {seconds} s")
}

fn table(out: &mut String, document: &Document, style: Style) -> fmt::Result {
    let rows: Vec<_> = document
        .results
        .iter()
        .map(|row| (row.form, row.sender.to_string(), row.receiver.to_string(), row.is_smuggled()))
        .collect();
    let wide = |words: &mut dyn Iterator<Item = usize>| words.max().unwrap_or(0);
    let form = wide(&mut rows.iter().map(|row| row.0.len()));
    // A long reply moves its own line only.
    let sender = wide(&mut rows.iter().map(|row| row.1.len()).filter(|&n| n <= 44));
    for (name, passed, received, smuggled) in &rows {
        let line = format!("{name:form$}  {passed:sender$}  {received}");
        let line = line.trim_end();
        if *smuggled {
            writeln!(out, "{}", style.code("1;31", line))?;
        } else {
            writeln!(out, "{line}")?;
        }
    }
    Ok(())
}

fn dialogues(out: &mut String, document: &Document, row: &Row, style: Style) -> fmt::Result {
    writeln!(out, "\n{}", style.code("1", &format!("{}: {}", row.form, row.receiver)))?;
    for (number, session) in row.sessions.iter().enumerate() {
        let title = if number == 0 { "to the sender" } else { "from the sender to the receiver" };
        writeln!(out, "  {}", style.code("2", title))?;
        // What is judged is at the end.
        let hidden = session.len().saturating_sub(SHOWN);
        if hidden > 0 {
            writeln!(out, "      … {hidden} lines")?;
        }
        for line in &session[hidden..] {
            writeln!(out, "      {}", printable(line))?;
        }
    }
    writeln!(out, "  again:    {} --only '{}'", document.command, row.form)
}

/// Without what would move the cursor of a terminal.
fn printable(line: &Line) -> String {
    line.to_string().chars().filter(|c| !c.is_control()).collect()
}

impl Passed {
    /// Its name in a summary.
    fn name(&self) -> &'static str {
        match self {
            Self::Refused(_) => "refused",
            Self::Closed => "closed",
            Self::Silent => "silent",
            Self::NotApplicable(_) => "not applicable",
            Self::NotRelayed => "not relayed",
            Self::EnvelopeOnly => "envelope only",
            Self::Split => "ended there by the sender",
            Self::Cut => "cut",
            Self::Encoded => "encoded",
            Self::Rewritten(_) => "rewritten",
            Self::LetThrough => "let through",
        }
    }
}

impl fmt::Display for Passed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())?;
        match self {
            Self::Refused(detail) | Self::NotApplicable(detail) | Self::Rewritten(detail) => {
                write!(f, ": {detail}")
            }
            _ => Ok(()),
        }
    }
}

impl fmt::Display for Received {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotReached => Ok(()),
            Self::Smuggled => f.write_str("SMUGGLED: two messages"),
            Self::Whole => f.write_str("one message"),
            Self::Altered(detail) => write!(f, "one message, stored as: {detail}"),
            Self::Cut(replies) => write!(f, "one message, ended there; replies: {replies}"),
            Self::Refused(reply) => write!(f, "refused: {reply}"),
            Self::Deferred(reply) => write!(f, "refused for now: {reply}"),
            Self::Closed => f.write_str("closed"),
            Self::Silent => f.write_str("silent"),
            Self::NotStored => f.write_str("taken, and not stored"),
        }
    }
}
