//! The matrix as one HTML page that needs nothing else. The table can be read without JavaScript,
//! with what was expected and what came behind each requirement; the script adds filters and the
//! dialogues.
//!
//! Reports hold what servers said, which may be written to break the page: every text goes through
//! `escaped`, and the page's policy runs its own script and no other.

use super::{Cell, Column, Line, Matrix, Standing, dialogue::Dialogues, title::title};
use crate::{
    profile::Profile,
    report::{
        Row, Status,
        html::{class, escaped},
    },
    requirement::Half,
};
use aws_lc_rs::digest;
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt::{self, Write};

const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

/// Octets that a page has at most, as long as its table alone has fewer: dialogues take what the
/// table leaves.
pub const MOST_OCTETS: usize = 2_000_000;

/// Characters that what came keeps.
const MOST_CHARS: usize = 400;

/// Writes the page.
pub fn write(matrix: &Matrix) -> String {
    let mut out = String::new();
    // Writing into a String never fails.
    let _: fmt::Result = write_page(&mut out, matrix);
    out
}

fn write_page(out: &mut String, matrix: &Matrix) -> fmt::Result {
    let who = match matrix.half {
        Half::Server => "servers",
        Half::Client => "clients",
    };
    writeln!(
        out,
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; \
         style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'\">\n\
         <title>How SMTP {who} behave</title>\n<style>{STYLE}</style>\n</head>\n<body>",
        hash(STYLE),
        hash(SCRIPT)
    )?;
    write_header(out, matrix, who)?;
    write_table(out, matrix)?;
    writeln!(
        out,
        "<aside id=\"panel\" aria-label=\"Requirement and dialogue\" tabindex=\"-1\" hidden></aside>"
    )?;
    let end = format!("<script>{SCRIPT}</script>\n</body>\n</html>\n");
    let frame = ["<script type=\"application/json\" id=\"dialogues\">", "</script>\n"];
    let taken = out.len() + end.len() + frame.concat().len();
    let dialogues = Dialogues::of(matrix, MOST_OCTETS.saturating_sub(taken));
    write!(out, "{}{}{}{end}", frame[0], dialogues.json(), frame[1])
}

/// The name of a text in the page's policy.
fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(digest::digest(&digest::SHA256, text.as_bytes())))
}

fn write_header(out: &mut String, matrix: &Matrix, who: &str) -> fmt::Result {
    writeln!(
        out,
        "<header>\n<h1>How SMTP {who} behave</h1>\n<p>{} {who}, {} requirements of the RFCs, judged \
         by smtp-conformance {}. A cell is one verdict; open it for the dialogue, or a requirement for \
         its text.</p>\n<ul class=\"legend\">",
        matrix.columns.len(),
        matrix.lines().count(),
        escaped(&matrix.suite)
    )?;
    for status in [
        Status::Pass,
        Status::Warn,
        Status::Fail,
        Status::NotApplicable,
        Status::NotTested,
        Status::Inconclusive,
        Status::Error,
    ] {
        writeln!(out, "<li><i class=\"{}\">{}</i> {status}</li>", class(status), status.sign())?;
    }
    writeln!(
        out,
        "<li><i class=\"fail\">✗<sup>*</sup></i> known</li>\n\
         <li><i class=\"fail\">✗<sup>†</sup></i> deliberate</li>\n\
         <li><i class=\"fail\">✗<sup>‡</sup></i> disputed</li>\n\
         <li><i class=\"withheld\">withheld</i> not public yet</li>\n</ul>\n\
         <form hidden>\n<label>Rows <select id=\"rows\"><option value=\"all\">all</option>\
         <option value=\"differs\">only differences</option>\
         <option value=\"deviates\">only deviations</option></select></label>\n\
         <label>Family <select id=\"family\"><option value=\"\">all</option>"
    )?;
    for family in &matrix.families {
        let name = escaped(&family.name);
        writeln!(out, "<option value=\"{name}\">{name}: {}</option>", title(&family.name))?;
    }
    writeln!(
        out,
        "</select></label>\n<label><input type=\"checkbox\" id=\"must\"> only MUST</label>\n\
         <label><span class=\"unseen\">Text</span><input type=\"search\" id=\"text\" \
         placeholder=\"id, §section or words\"></label>\n<output id=\"count\"></output>\n</form>\n\
         </header>"
    )
}

fn write_table(out: &mut String, matrix: &Matrix) -> fmt::Result {
    writeln!(
        out,
        "<main tabindex=\"0\" aria-label=\"The matrix\">\n<table>\n<thead>\n<tr>\
         <th scope=\"col\">Requirement</th>"
    )?;
    for (n, column) in matrix.columns.iter().enumerate() {
        write_column(out, column, matrix, n)?;
    }
    writeln!(out, "</tr>\n</thead>")?;
    for family in &matrix.families {
        let name = escaped(&family.name);
        writeln!(
            out,
            "<tbody data-family=\"{name}\">\n<tr class=\"family\"><th colspan=\"{}\" \
             scope=\"rowgroup\"><span><b>{name}</b> {}</span></th></tr>",
            matrix.columns.len() + 1,
            title(&family.name)
        )?;
        for line in &family.lines {
            write_line(out, matrix, line)?;
        }
        writeln!(out, "</tbody>")?;
    }
    writeln!(out, "</table>\n</main>")
}

fn write_column(out: &mut String, column: &Column, matrix: &Matrix, n: usize) -> fmt::Result {
    let count = |status: Status| {
        let rows = matrix.lines().filter_map(|line| line.cells.get(n)?.shown());
        rows.filter(|row| row.verdict == status).count()
    };
    write!(
        out,
        "<th scope=\"col\" id=\"{}\"><b>{}</b>",
        escaped(&column.key),
        escaped(&column.name)
    )?;
    if !column.version.is_empty() {
        write!(out, " <span>{}</span>", escaped(&column.version))?;
    }
    if column.profile != Profile::Default {
        write!(out, " <span>{}</span>", column.profile)?;
    }
    if !column.date.is_empty() {
        write!(out, " <time>{}</time>", escaped(&column.date))?;
    }
    writeln!(
        out,
        " <span class=\"counts\"><i class=\"fail\">{}</i> <i class=\"warn\">{}</i></span></th>",
        format_args!("{} {}", count(Status::Fail), Status::Fail.sign()),
        format_args!("{} {}", count(Status::Warn), Status::Warn.sign())
    )
}

fn write_line(out: &mut String, matrix: &Matrix, line: &Line) -> fmt::Result {
    let row = &line.requirement;
    let id = escaped(&row.id);
    let mut classes = Vec::new();
    classes.extend(line.differs().then_some("differs"));
    classes.extend(line.deviates().then_some("deviates"));
    classes.extend(row.level.is_must().then_some("must"));
    writeln!(
        out,
        "<tr id=\"{id}\" class=\"{}\">\n<th scope=\"row\"><details><summary><b>{id}</b> \
         <small>{}</small> <small>{}</small> <span>{}</span></summary>\n<dl>",
        classes.join(" "),
        row.level.as_str(),
        escaped(&row.reference),
        escaped(&row.pass)
    )?;
    for (name, text) in [("Fails", &row.fail), ("Why it matters", &row.why)] {
        if !text.is_empty() {
            writeln!(out, "<dt>{name}</dt><dd>{}</dd>", escaped(text))?;
        }
    }
    for (column, cell) in matrix.columns.iter().zip(&line.cells) {
        if let Some(row) = cell.shown() {
            write_reason(out, column, row)?;
        }
    }
    writeln!(out, "</dl></details></th>")?;
    for (column, cell) in matrix.columns.iter().zip(&line.cells) {
        let link = format!("{}-{id}", escaped(&column.key));
        match cell {
            Cell::Absent => writeln!(out, "<td></td>")?,
            Cell::Withheld => writeln!(
                out,
                "<td id=\"{link}\" class=\"withheld\"><a href=\"#{link}\">withheld</a></td>"
            )?,
            Cell::Shown(row) => {
                let (class, sign) = (class(row.verdict), row.verdict.sign());
                write!(out, "<td id=\"{link}\" class=\"{class}\"><a href=\"#{link}\">{sign}")?;
                let standing = row.expected.as_deref().map(Standing::of);
                if let Some(standing) = standing {
                    write!(out, "<sup>{}</sup>", standing.sign())?;
                }
                write!(out, "<span> {}", row.verdict)?;
                if let Some(standing) = standing {
                    write!(out, ", {}", standing.as_str())?;
                }
                writeln!(out, "</span></a></td>")?;
            }
        }
    }
    writeln!(out, "</tr>")
}

/// What came, where there is more to say than the verdict.
fn write_reason(out: &mut String, column: &Column, row: &Row) -> fmt::Result {
    if row.reason.is_empty() && row.expected.is_none() {
        return Ok(());
    }
    let (key, id) = (escaped(&column.key), escaped(&row.id));
    write!(
        out,
        "<dt>{}</dt><dd data-cell=\"{key}-{id}\"><b>{}</b> {}",
        escaped(&column.name),
        row.verdict,
        escaped(&shortened(&row.reason))
    )?;
    if let Some(expected) = &row.expected {
        // One that is deliberate or disputed begins with that word.
        let known = if Standing::of(expected) == Standing::default() { "known: " } else { "" };
        write!(out, "<p>{known}{}</p>", escaped(expected.trim()))?;
    }
    writeln!(out, "</dd>")
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        matrix::{sample, withheld::Withheld},
        report::Document,
        requirement, transcript,
    };

    #[test]
    fn what_a_hostile_server_says_stays_text() {
        let mut reports = sample::reports();
        reports[0].1.subject.software = "<img src=x onerror=alert(1)> 1".into();
        reports[0].1.subject.date = "\"><script>".into();
        reports[1].1.results[1].id = "\"><script>".into();
        reports[1].1.results[1].expected = Some("</dd><script>".into());
        let page = write(&Matrix::new(reports, &Withheld::default()).unwrap());
        assert!(page.contains("&lt;/script&gt;&lt;script&gt;alert(1)"), "in a reason");
        assert!(page.contains("\\u003c/script>\\u003cscript>alert(1)"), "in a dialogue");
        // The page's own script, and the dialogues.
        assert_eq!((page.matches("<script").count(), page.matches("</script").count()), (2, 2));
        assert!(!page.contains("<img") && !page.contains('\0') && !page.contains('\u{1b}'));
    }

    #[test]
    fn the_page_is_one_file_that_fetches_nothing_and_runs_its_own_script() {
        let page = write(&sample::matrix());
        assert!(page.contains("default-src 'none'; style-src 'sha256-"));
        assert!(!page.contains("unsafe") && !page.contains("style=") && !page.contains("onclick"));
        for word in ["src=", "@import", "url(", "<link", "http://", "https://"] {
            assert!(!page.contains(word), "{word}");
        }
        // RFC 6234 has the same digest of "abc".
        assert_eq!(hash("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }

    #[test]
    fn what_is_withheld_leaves_no_trace() {
        let mut reports = sample::reports();
        let row = &mut reports[0].1.results[0];
        row.reason = "SECRET-REASON".into();
        row.expected = Some("SECRET-KNOWN".into());
        row.sessions[0].push(transcript::Line::Client("SECRET-DIALOGUE".into()));
        let shown = write(&Matrix::new(reports.clone(), &Withheld::default()).unwrap());
        assert_eq!(shown.matches("SECRET-").count(), 3);
        let file = "[[withheld]]\nserver = 'sample'\nid = 'SEQ-05'\n";
        let page = write(&Matrix::new(reports.clone(), &Withheld::read(file).unwrap()).unwrap());
        assert!(!page.contains("SECRET-"));
        let cell =
            "<td id=\"sample-SEQ-05\" class=\"withheld\"><a href=\"#sample-SEQ-05\">withheld</a>";
        assert!(page.contains(cell));
        assert!(page.contains("<th scope=\"col\" id=\"sample\"><b>Sample</b> <span>1.0</span>"));
        assert!(page.contains("<i class=\"fail\">0 ✗</i>"), "it is not counted either");
        // Whatever was found, the page is the same.
        reports[0].1.results[0].verdict = Status::Warn;
        reports[0].1.results[0].sessions.clear();
        assert_eq!(write(&Matrix::new(reports, &Withheld::read(file).unwrap()).unwrap()), page);
    }

    #[test]
    fn the_table_says_everything_but_dialogues_without_the_script() {
        let matrix = sample::matrix();
        let page = write(&matrix);
        let table = page.split("<main").nth(1).unwrap().split("</main>").next().unwrap();
        for line in matrix.lines() {
            let row = &line.requirement;
            for text in [&row.id, &row.reference, &row.pass, &row.fail, &row.why] {
                assert!(table.contains(&escaped(text)), "{text}");
            }
            for (column, cell) in matrix.columns.iter().zip(&line.cells) {
                let Some(cell) = cell.shown() else { continue };
                assert!(table.contains(&format!("href=\"#{}-{}\"", column.key, row.id)));
                assert!(table.contains(&escaped(&cell.reason)));
            }
        }
        assert!(!table.contains("hidden"));
        assert!(page.contains("<form hidden>"), "filters that would do nothing are not shown");
        for tag in ["details", "summary", "tr", "td", "th", "dl", "dd", "tbody", "a", "b", "span"] {
            let open = table.matches(&format!("<{tag} ")).count()
                + table.matches(&format!("<{tag}>")).count();
            assert_eq!(open, table.matches(&format!("</{tag}>")).count(), "{tag}");
        }
    }

    #[test]
    fn what_differs_deviates_or_is_known_can_be_told() {
        let mut reports = sample::reports();
        reports[0].1.results[1].expected = Some("manual §3".into());
        let page = write(&Matrix::new(reports, &Withheld::default()).unwrap());
        assert!(page.contains("<tr id=\"SEQ-05\" class=\"differs deviates must\">"));
        assert!(page.contains("id=\"sample-SEQ-06\" class=\"warn\""));
        assert!(page.contains("▲<sup>*</sup><span> warn, known</span>"));
        assert!(page.contains("<p>known: manual §3</p>"));
    }

    /// A server that says something else in each row, at length.
    fn talkative(seed: usize) -> Document {
        let mut document = sample::reports().remove(0).1;
        let row = document.results[0].clone();
        document.results.clear();
        for (n, requirement) in requirement::all().iter().enumerate() {
            let mut row = row.clone();
            row.id.clone_from(&requirement.id);
            row.pass.clone_from(&requirement.pass);
            row.fail.clone_from(&requirement.fail);
            row.why.clone_from(&requirement.why);
            row.reason = "expected 250; got something else, which is told at length. ".repeat(3);
            let said = |line| {
                transcript::Line::Server(format!("250 {seed} {n} {line} {}", "<".repeat(200)))
            };
            row.sessions = vec![(0..20).map(said).collect(); 3];
            document.results.push(row);
        }
        document
    }

    #[test]
    fn ten_talkative_servers_fit_into_two_mebibytes() {
        let reports = (0..10).map(|n| (n.to_string(), talkative(n))).collect();
        let page = write(&Matrix::new(reports, &Withheld::default()).unwrap());
        assert!(page.len() <= MOST_OCTETS && MOST_OCTETS < 2 * 1024 * 1024, "{}", page.len());
        assert!(page.len() > MOST_OCTETS * 9 / 10, "room is used: {}", page.len());
    }
}
