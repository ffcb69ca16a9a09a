//! The report as JUnit XML: a suite for each family, a case for each requirement.
//!
//! A warning is a pass with its text as output; what could not be judged is skipped. Surprises of
//! the expected deviations are a suite of their own, so that they turn a build red.

use super::{Document, Row, Status};
use std::fmt::{self, Write};

/// Writes the report.
pub fn write(document: &Document) -> String {
    let mut out = String::new();
    // Writing into a String never fails.
    let _: fmt::Result = write_all(&mut out, document);
    out
}

fn write_all(out: &mut String, document: &Document) -> fmt::Result {
    let broken = |row: &&Row| row.verdict == Status::Fail && row.expected.is_none();
    let failures = document.results.iter().filter(broken).count() + document.surprises.len();
    writeln!(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>")?;
    writeln!(
        out,
        "<testsuites name=\"smtp-conformance {}\" tests=\"{}\" failures=\"{failures}\" time=\"{}\">",
        escaped(&document.subject.server),
        document.results.len() + document.surprises.len(),
        seconds(document.milliseconds)
    )?;
    for rows in document.results.chunk_by(|one, other| one.family() == other.family()) {
        let Some(first) = rows.first() else { continue };
        let count = |test: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| test(row)).count();
        writeln!(
            out,
            "  <testsuite name=\"{}\" tests=\"{}\" failures=\"{}\" errors=\"{}\" skipped=\"{}\" \
             time=\"{}\">",
            escaped(first.family()),
            rows.len(),
            count(&|row| broken(&row)),
            count(&|row| row.verdict == Status::Error && row.expected.is_none()),
            count(&is_skipped),
            seconds(rows.iter().map(|row| row.milliseconds).sum())
        )?;
        for row in rows {
            write_row(out, document, row)?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    let surprises = &document.surprises;
    if !surprises.is_empty() {
        let n = surprises.len();
        writeln!(out, "  <testsuite name=\"expected\" tests=\"{n}\" failures=\"{n}\">")?;
        for surprise in surprises {
            let text = escaped(&surprise.to_string());
            writeln!(out, "    <testcase classname=\"expected\" name=\"{text}\">")?;
            writeln!(out, "      <failure message=\"{text}\"/>\n    </testcase>")?;
        }
        writeln!(out, "  </testsuite>")?;
    }
    writeln!(out, "</testsuites>")
}

fn is_skipped(row: &Row) -> bool {
    match row.verdict {
        Status::Pass | Status::Warn => false,
        Status::Fail | Status::Error => row.expected.is_some(),
        Status::NotApplicable | Status::NotTested | Status::Inconclusive => true,
    }
}

fn write_row(out: &mut String, document: &Document, row: &Row) -> fmt::Result {
    writeln!(
        out,
        "    <testcase classname=\"{}\" name=\"{} {}\" time=\"{}\">",
        escaped(row.family()),
        escaped(&row.id),
        escaped(&row.pass),
        seconds(row.milliseconds)
    )?;
    let message = escaped(&format!("{}: {}", row.verdict, row.reason));
    if let (true, Some(reason)) = (is_skipped(row), &row.expected) {
        let reason = escaped(reason);
        writeln!(out, "      <skipped message=\"{message}; expected: {reason}\"/>")?;
    } else if is_skipped(row) {
        writeln!(out, "      <skipped message=\"{message}\"/>")?;
    } else {
        match row.verdict {
            Status::Fail => {
                let text = escaped(&document.dialogue(row));
                writeln!(out, "      <failure message=\"{message}\">{text}</failure>")?;
            }
            Status::Error => {
                let text = escaped(&document.dialogue(row));
                writeln!(out, "      <error message=\"{message}\">{text}</error>")?;
            }
            Status::Warn => {
                let text = escaped(&document.dialogue(row));
                writeln!(out, "      <system-out>{message}\n{text}</system-out>")?;
            }
            _ => {}
        }
    }
    writeln!(out, "    </testcase>")
}

fn seconds(milliseconds: u64) -> String {
    format!("{}.{:03}", milliseconds / 1000, milliseconds % 1000)
}

/// Text that no XML reader takes for markup; what XML 1.0 cannot hold is replaced.
fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\n' | '\t' => out.push(c),
            '\u{fffe}' | '\u{ffff}' => out.push('\u{fffd}'),
            c if c.is_control() => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{expect::Surprise, report::sample};

    #[test]
    fn whatever_a_server_says_the_file_is_well_formed_and_counts_right() {
        let mut document = sample::hostile();
        document.surprises.push(Surprise::Unknown { id: "<&\"\u{1}>".into() });
        let text = write(&document);
        let tree = roxmltree::Document::parse(&text).unwrap();
        let named = |name: &'static str| tree.descendants().filter(move |n| n.has_tag_name(name));
        assert_eq!(named("testcase").count(), document.results.len() + 1);
        assert_eq!(named("failure").count(), 2);
        assert_eq!(named("error").count(), 1);
        assert_eq!(named("skipped").count(), 3);
        let total = |key| {
            let values = named("testsuite").filter_map(|suite| suite.attribute(key));
            values.map(|value| value.parse::<usize>().unwrap()).sum::<usize>()
        };
        assert_eq!((total("failures"), total("errors"), total("skipped")), (2, 1, 3));
        assert_eq!(tree.root_element().attribute("failures"), Some("2"));
        let failure = named("failure").next().unwrap().text().unwrap();
        assert!(failure.contains("--> S: 500 </script>"));
    }

    #[test]
    fn an_expected_failure_is_skipped_with_its_reason() {
        let mut document = sample::hostile();
        document.results[0].expected = Some("manual §3".into());
        let text = write(&document);
        let tree = roxmltree::Document::parse(&text).unwrap();
        assert!(!tree.descendants().any(|node| node.has_tag_name("failure")));
        assert!(text.contains("expected: manual §3"));
    }
}
