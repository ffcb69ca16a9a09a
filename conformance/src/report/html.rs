//! The report as one HTML page that needs nothing else: it can be read without JavaScript, and a
//! little of that hides rows.
//!
//! What a server says may be written to break the page: every text goes through `escaped`, and
//! the page's policy lets it fetch nothing.

use super::{Document, Row, Status, by_reason};
use std::fmt::{self, Write};

/// The colours are those of Okabe and Ito, which colour-blind people can tell apart; each verdict
/// has a sign of its own too.
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Writes the report.
pub fn write(document: &Document) -> String {
    let mut out = String::new();
    // Writing into a String never fails.
    let _: fmt::Result = write_page(&mut out, document);
    out
}

fn write_page(out: &mut String, document: &Document) -> fmt::Result {
    let subject = &document.subject;
    let server = escaped(&subject.server);
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src 'unsafe-inline'; script-src 'unsafe-inline'; base-uri 'none'; \
         form-action 'none'\">\n\
         <title>{server}: SMTP conformance</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n\
         <header>\n<h1>SMTP conformance of {server}</h1>"
    )?;
    if !subject.greeting.is_empty() {
        writeln!(out, "<p><code>{}</code></p>", escaped(&subject.greeting))?;
    }
    writeln!(
        out,
        "<p>Profile <b>{}</b>, {} requirements in {:.1} s, seed {}, smtp-conformance {}.</p>",
        subject.profile,
        document.results.len(),
        document.milliseconds as f64 / 1000.0,
        subject.seed,
        escaped(&document.suite)
    )?;
    for remark in &subject.remarks {
        writeln!(out, "<p class=\"remark\">{}</p>", escaped(remark))?;
    }
    writeln!(out, "</header>")?;
    write_counts(out, document)?;
    if !document.surprises.is_empty() {
        writeln!(out, "<section>\n<h2>Not as the file of expected deviations says</h2>\n<ul>")?;
        for surprise in &document.surprises {
            writeln!(out, "<li>{}</li>", escaped(&surprise.to_string()))?;
        }
        writeln!(out, "</ul>\n</section>")?;
    }
    write_broken(out, document)?;
    writeln!(out, "<main>\n<h2>Requirements</h2>")?;
    for rows in document.results.chunk_by(|one, other| one.family() == other.family()) {
        let Some(first) = rows.first() else { continue };
        writeln!(out, "<section class=\"family\">\n<h3>{}</h3>", escaped(first.family()))?;
        for row in rows {
            write_row(out, document, row)?;
        }
        writeln!(out, "</section>")?;
    }
    writeln!(out, "</main>")?;
    write_missing(out, document)?;
    writeln!(out, "<script>\n{SCRIPT}</script>\n</body>\n</html>")
}

/// The numbers; with JavaScript each button shows or hides its rows.
fn write_counts(out: &mut String, document: &Document) -> fmt::Result {
    writeln!(out, "<section class=\"counts\" aria-label=\"Verdicts\">")?;
    for status in Status::ALL {
        writeln!(
            out,
            "<button type=\"button\" class=\"{class}\" data-verdict=\"{class}\" \
             aria-pressed=\"true\" disabled><span class=\"sign\">{}</span> <b>{}</b> {status}</button>",
            status.sign(),
            document.count(status),
            class = class(status)
        )?;
    }
    writeln!(
        out,
        "<label class=\"search\" hidden>Search <input type=\"search\" \
         placeholder=\"id, section or words\"></label>\n</section>"
    )?;
    let total = document.results.len().max(1) as f64;
    write!(out, "<div class=\"bar\" aria-hidden=\"true\">")?;
    for status in Status::ALL {
        let share = 100.0 * document.count(status) as f64 / total;
        write!(out, "<i class=\"{}\" style=\"width:{share:.2}%\"></i>", class(status))?;
    }
    writeln!(out, "</div>")
}

/// What is broken, in front of everything else.
fn write_broken(out: &mut String, document: &Document) -> fmt::Result {
    let mut rows = document.unexpected(Status::Fail).peekable();
    if rows.peek().is_none() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Broken</h2>\n<ul class=\"broken\">")?;
    for row in rows {
        let (id, reason) = (escaped(&row.id), escaped(&row.reason));
        writeln!(out, "<li><a href=\"#{id}\">{id}</a> {reason}</li>")?;
    }
    writeln!(out, "</ul>\n</section>")
}

fn write_row(out: &mut String, document: &Document, row: &Row) -> fmt::Result {
    let class = class(row.verdict);
    let open = if row.verdict == Status::Fail && row.expected.is_none() { " open" } else { "" };
    let expected = if row.expected.is_some() { " <em>expected</em>" } else { "" };
    writeln!(
        out,
        "<details class=\"row\" id=\"{id}\" data-verdict=\"{class}\"{open}>\n\
         <summary><span class=\"verdict {class}\"><span class=\"sign\">{}</span> {}</span> \
         <b>{id}</b> <span class=\"level\">{}</span> <span class=\"text\">{}</span>{expected}\
         </summary>",
        row.verdict.sign(),
        row.verdict,
        row.level.as_str(),
        escaped(&row.pass),
        id = escaped(&row.id),
    )?;
    writeln!(out, "<dl>")?;
    let reproducer = document.reproducer(row);
    let facts = [
        ("What came", row.reason.as_str()),
        ("Expected, because", row.expected.as_deref().unwrap_or_default()),
        ("Written in", &row.reference),
        ("Passes", &row.pass),
        ("Fails", &row.fail),
        ("Why it matters", &row.why),
    ];
    for (name, text) in facts.into_iter().filter(|(_, text)| !text.is_empty()) {
        writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(text))?;
    }
    writeln!(out, "<dt>Again</dt><dd><code>{}</code></dd>\n</dl>", escaped(&reproducer))?;
    for (number, session) in row.sessions.iter().enumerate() {
        write!(out, "<pre aria-label=\"Session {}\">", number + 1)?;
        for (n, line) in session.iter().enumerate() {
            let text = escaped(&line.to_string());
            if row.is_place(number, n) {
                write!(out, "<mark class=\"{class}\">{text}</mark>")?;
            } else {
                out.push_str(&text);
            }
            out.push('\n');
        }
        writeln!(out, "</pre>")?;
    }
    writeln!(out, "</details>")
}

/// What could not be tested, by what was missing.
fn write_missing(out: &mut String, document: &Document) -> fmt::Result {
    let groups = by_reason(document, Status::NotTested);
    if groups.is_empty() {
        return Ok(());
    }
    writeln!(out, "<section>\n<h2>Not tested, and what was missing</h2>\n<dl>")?;
    for (reason, ids) in groups {
        writeln!(out, "<dt>{} ({})</dt><dd>", escaped(reason), ids.len())?;
        for id in ids {
            let id = escaped(id);
            writeln!(out, "<a href=\"#{id}\">{id}</a>")?;
        }
        writeln!(out, "</dd>")?;
    }
    writeln!(out, "</dl>\n</section>")
}

/// The class of its elements in pages.
pub(crate) fn class(status: Status) -> &'static str {
    match status {
        Status::Fail => "fail",
        Status::Warn => "warn",
        Status::Error => "error",
        Status::Inconclusive => "inconclusive",
        Status::NotTested => "not-tested",
        Status::NotApplicable => "not-applicable",
        Status::Pass => "pass",
    }
}

/// Text that no browser takes for markup, in elements and in quoted attributes; control characters
/// are made visible.
pub(crate) fn escaped(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            c if is_hidden(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    out
}

/// Whether `c` shows nothing, or changes the order in which what follows it is shown: control
/// characters, and those of Unicode's bidirectional algorithm.
pub(crate) fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;

    #[test]
    fn what_a_hostile_server_says_stays_text() {
        let mut document = sample::hostile();
        document.subject.server = "<img src=x onerror=alert(1)>".into();
        let page = write(&document);
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)&lt;/script&gt;"));
        // The page's own script, and no other.
        assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (1, 1));
        assert!(!page.contains("<img") && !page.contains('\0') && !page.contains('\u{1b}'));
    }

    #[test]
    fn characters_that_turn_text_around_are_made_visible() {
        assert_eq!(escaped("a\u{202e}b\u{200f}\u{7f}c"), "a\u{fffd}b\u{fffd}\u{fffd}c");
    }

    #[test]
    fn the_page_is_one_file_that_fetches_nothing() {
        let page = write(&sample::hostile());
        assert!(page.contains("default-src 'none'"));
        for word in ["src=", "@import", "url(", "<link", "http://", "https://"] {
            assert!(!page.contains(word), "{word}");
        }
    }

    #[test]
    fn the_place_of_the_deviation_is_marked_and_a_failure_is_open() {
        let page = write(&sample::hostile());
        assert!(page.contains("<mark class=\"fail\">S: 500 "));
        let id = "id=\"SEQ-05\" data-verdict=\"fail\" open>";
        assert!(page.contains(id));
        assert!(page.contains("id=\"SEQ-08\" data-verdict=\"pass\">"));
    }

    #[test]
    fn every_element_that_is_opened_is_closed() {
        let page = write(&sample::hostile());
        for tag in ["details", "summary", "section", "dl", "dd", "pre", "mark", "button", "main"] {
            let open = page.matches(&format!("<{tag} ")).count()
                + page.matches(&format!("<{tag}>")).count();
            assert_eq!(open, page.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }
}
