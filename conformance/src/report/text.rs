//! The report as text: what failed with its dialogue, what was not tested, and a summary last.

use super::{Document, Row, Status, by_reason};
use crate::transcript::Line;
use std::fmt::{self, Write};

/// The most lines of the summary.
pub const SUMMARY_LINES: usize = 25;
/// Columns that lists of ids may take.
const WIDTH: usize = 96;
/// Lines of a dialogue that are shown in front of the deviation and behind it.
const AROUND: usize = 14;

/// How to write it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Style {
    /// With colours.
    pub colour: bool,
    /// With the dialogues of warnings and of what is inconclusive too, and with every pass.
    pub verbose: bool,
}

impl Style {
    fn paint(self, status: Status, text: &str) -> String {
        let code = match status {
            Status::Fail | Status::Error => "1;31",
            Status::Warn => "33",
            Status::Inconclusive => "35",
            Status::NotTested => "36",
            Status::NotApplicable => "2",
            Status::Pass => "32",
        };
        self.code(code, text)
    }

    fn strong(self, text: &str) -> String {
        self.code("1", text)
    }

    fn faint(self, text: &str) -> String {
        self.code("2", text)
    }

    /// `text` in the colour of this code, ECMA-48 §8.3.117.
    pub(crate) fn code(self, code: &str, text: &str) -> String {
        if self.colour { format!("\x1b[{code}m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// Everything: details, then the summary.
pub fn write(document: &Document, style: Style) -> String {
    let mut text = details(document, style);
    text.push_str(&summary(document, style));
    text
}

/// What deviates, with its dialogue; and what could not be judged, with what was missing.
pub fn details(document: &Document, style: Style) -> String {
    let mut out = String::new();
    // Writing into a String never fails.
    let _: fmt::Result = write_details(&mut out, document, style);
    out
}

fn write_details(out: &mut String, document: &Document, style: Style) -> fmt::Result {
    for status in [Status::Pass, Status::NotApplicable] {
        if style.verbose {
            for row in document.rows(status) {
                let sign = style.paint(status, &status.sign().to_string());
                writeln!(out, "{sign} {}  {}  {}", row.id, row.reference, clean(&row.reason))?;
            }
        }
    }
    let groups = by_reason(document, Status::NotTested);
    if !groups.is_empty() {
        writeln!(out, "\n{}", style.strong("Not tested, and what was missing"))?;
    }
    for (reason, ids) in groups {
        writeln!(out, "  {}", clean(reason))?;
        for line in wrapped(&ids) {
            writeln!(out, "      {}", style.faint(&line))?;
        }
    }
    for status in [Status::Inconclusive, Status::Warn] {
        for row in document.rows(status) {
            if style.verbose {
                write_row(out, document, row, style)?;
            } else {
                let name = style.paint(status, &format!("{} {}", status.sign(), row.id));
                let expected = if row.expected.is_some() { " (expected)" } else { "" };
                writeln!(out, "{name}  {}{expected}", clean(&row.reason))?;
            }
        }
    }
    for status in [Status::Error, Status::Fail] {
        for row in document.rows(status) {
            write_row(out, document, row, style)?;
        }
    }
    Ok(())
}

fn write_row(out: &mut String, document: &Document, row: &Row, style: Style) -> fmt::Result {
    let name = format!("{} {} {}", row.verdict.sign(), row.verdict, row.id);
    let head = style.paint(row.verdict, &name);
    writeln!(out, "\n{head}  {} {}", row.level.as_str(), row.reference)?;
    writeln!(out, "  {}", style.strong(&clean(&row.reason)))?;
    writeln!(out, "  required: {}", row.pass)?;
    if !row.why.is_empty() {
        writeln!(out, "  because:  {}", row.why)?;
    }
    if let Some(reason) = &row.expected {
        writeln!(out, "  expected: {reason}")?;
    }
    for (number, session) in row.sessions.iter().enumerate() {
        if row.sessions.len() > 1 {
            writeln!(out, "  {}", style.faint(&format!("session {}", number + 1)))?;
        }
        write_session(out, row, number, session, style)?;
    }
    writeln!(out, "  again:    {}", document.reproducer(row))
}

fn write_session(
    out: &mut String,
    row: &Row,
    number: usize,
    session: &[Line],
    style: Style,
) -> fmt::Result {
    let place = row.place.filter(|place| place.session == number).map(|place| place.line);
    let middle = place.unwrap_or(session.len());
    let (from, to) = (middle.saturating_sub(AROUND), middle + AROUND);
    for (n, line) in session.iter().enumerate() {
        if n < from || n > to {
            if n + 1 == from || n == to + 1 {
                writeln!(out, "      {}", style.faint("…"))?;
            }
            continue;
        }
        let said = clean(&line.to_string());
        if place == Some(n) {
            let mark = style.paint(row.verdict, &format!("  --> {said}"));
            writeln!(out, "{mark}")?;
        } else {
            writeln!(out, "      {said}")?;
        }
    }
    Ok(())
}

/// The counts, what is red, and what to do next, in at most [`SUMMARY_LINES`] lines.
pub fn summary(document: &Document, style: Style) -> String {
    let subject = &document.subject;
    let mut lines = vec![
        String::new(),
        style.strong(&format!("{}, profile {}", subject.server, subject.profile)),
    ];
    if !subject.greeting.is_empty() {
        lines.push(style.faint(&shortened(&clean(&subject.greeting))));
    }
    for remark in subject.remarks.iter().take(3) {
        lines.push(shortened(&clean(remark)));
    }
    for status in Status::ALL.into_iter().rev() {
        let count = document.count(status);
        let expected = document.rows(status).filter(|row| row.expected.is_some()).count();
        let mut line = format!("  {} {:<15}{count:>4}", status.sign(), status.as_str());
        if expected > 0 {
            line.push_str(&format!("  ({expected} expected)"));
        }
        let groups = by_reason(document, status);
        if let (Status::NotTested, Some((reason, ids))) = (status, groups.first()) {
            line.push_str(&format!("  most: {} ({})", clean(reason), ids.len()));
        }
        lines.push(if count == 0 {
            style.faint(&line)
        } else {
            style.paint(status, &shortened(&line))
        });
    }
    for (status, word) in [(Status::Warn, "warned"), (Status::Fail, "failed")] {
        let ids: Vec<_> = document.unexpected(status).map(|row| row.id.as_str()).collect();
        let rows = wrapped(&ids);
        for (n, row) in rows.iter().take(3).enumerate() {
            let label = if n == 0 { word } else { "" };
            let more = if n == 2 && rows.len() > 3 { " …" } else { "" };
            lines.push(format!("{label:<8}{row}{more}"));
        }
    }
    let surprises = &document.surprises;
    for surprise in surprises.iter().take(2) {
        lines.push(style.paint(Status::Fail, &shortened(&clean(&surprise.to_string()))));
    }
    if surprises.len() > 2 {
        lines.push(format!("and {} more that nobody expected", surprises.len() - 2));
    }
    let fails = document.unexpected(Status::Fail).count();
    let took = format!(
        "{} requirements in {:.1} s, seed {}",
        document.results.len(),
        document.milliseconds as f64 / 1000.0,
        subject.seed
    );
    lines.push(match fails {
        0 if document.is_red() => style.paint(Status::Fail, &format!("RED: {took}")),
        0 => style.paint(Status::Pass, &format!("No failure: {took}")),
        1 => style.paint(Status::Fail, &format!("1 failure: {took}")),
        n => style.paint(Status::Fail, &format!("{n} failures: {took}")),
    });
    debug_assert!(lines.len() <= SUMMARY_LINES, "{lines:#?}");
    lines.join("\n") + "\n"
}

/// Text without the control characters that would talk to the terminal.
pub(crate) fn clean(text: &str) -> String {
    text.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

fn shortened(text: &str) -> String {
    if text.chars().count() <= WIDTH {
        return text.to_owned();
    }
    text.chars().take(WIDTH - 1).chain(['…']).collect()
}

/// Ids in lines that are not too long.
fn wrapped(ids: &[&str]) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for id in ids {
        match lines.last_mut() {
            Some(line) if line.len() + id.len() < WIDTH - 10 => {
                line.push(' ');
                line.push_str(id);
            }
            _ => lines.push((*id).to_owned()),
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{expect::Surprise, report::sample};

    #[test]
    fn a_failure_shows_its_dialogue_the_place_the_requirement_and_how_to_see_it_again() {
        let text = write(&sample::hostile(), Style::default());
        let row = text.split("✗ fail SEQ-05").nth(1).unwrap();
        assert!(row.contains("      C: MAIL FROM:<a@b.test>\n"));
        assert!(row.contains("  --> S: 500 "));
        assert!(row.contains("  required: "));
        assert!(row.contains("  again:    smtp-conformance server 127.0.0.1:25 --only SEQ-05\n"));
    }

    #[test]
    fn nothing_that_a_server_says_reaches_the_terminal_as_a_control_character() {
        let text = write(&sample::hostile(), Style { colour: false, verbose: true });
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'));
    }

    #[test]
    fn without_colour_there_is_no_escape_and_with_it_there_is() {
        let document = sample::hostile();
        assert!(!summary(&document, Style::default()).contains('\x1b'));
        assert!(summary(&document, Style { colour: true, verbose: false }).contains('\x1b'));
    }

    #[test]
    fn the_summary_stays_short_however_much_is_wrong() {
        let mut document = sample::hostile();
        let row = document.results[0].clone();
        let warned = document.results[1].clone();
        document.results.extend(std::iter::repeat_n(row, 300));
        document.results.extend(std::iter::repeat_n(warned, 300));
        document.subject.remarks = vec!["x".repeat(500); 9];
        document.surprises = vec![Surprise::Unknown { id: "X-01".into() }; 40];
        let text = summary(&document, Style::default());
        assert!(text.lines().count() <= SUMMARY_LINES, "{text}");
        assert!(text.trim_end().lines().last().unwrap().starts_with("301 failures"));
    }

    #[test]
    fn a_long_dialogue_is_shown_around_the_deviation() {
        let mut document = sample::hostile();
        let row = &mut document.results[0];
        row.sessions[0] = (0..200).map(|n| Line::Client(format!("NOOP {n}"))).collect();
        row.place = Some(crate::outcome::Place { session: 0, line: 100 });
        let text = details(&document, Style::default());
        assert!(text.contains("--> C: NOOP 100\n") && text.contains("C: NOOP 86\n"));
        assert!(!text.contains("NOOP 85\n") && !text.contains("NOOP 115\n"));
        assert_eq!(text.matches("      …\n").count(), 2);
    }
}
