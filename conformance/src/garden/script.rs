//! A script: what is said to every server.
//!
//! ```text
//! # What it is about; the first comment stands in reports.
//! C: <HELLO>                       first step only: to where MAIL may be said; not compared
//! C: <HELLO CHUNKING>              the same; who does not offer this is not asked
//! C: MAIL FROM:<a@client.example>  a line, sent with CRLF
//! C+ RCPT TO:<{recipient}>         a line, sent in one write with what follows
//! C: DATA
//! C| Subject: {token}\r\n.\n       octets without CRLF; escapes \r \n \t \0 \\ \xNN
//! C* 3000 a                        "a" 3,000 times, without CRLF; escapes as above
//! T: 200ms                         time passes; what was said in front of it is not listened to
//! C: <TLS>                         a TLS handshake
//! C: <EOF>                         the client closes its writing side
//! S: 250                           what a server might say; not looked at
//! ```
//!
//! `C+|` and `C+*` are `C|` and `C*` in one write with what follows.

use std::{borrow::Cow, fmt, time::Duration};

/// What may stand in braces. `hello` is EHLO or LHLO, `local` what stands before the `@` of the
/// recipient, `other` a second recipient.
pub const PLACEHOLDERS: [&str; 8] =
    ["recipient", "local", "domain", "other", "unknown", "foreign", "hello", "token"];
/// Steps of a script.
const MOST_STEPS: usize = 200;
/// Octets of a script, with all repetitions.
const MOST_OCTETS: usize = 16 << 20;
/// Time that may pass at one step.
const MOST_TIME: Duration = Duration::from_secs(60);

/// A script, ready to be played.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Script {
    /// Its name in reports.
    pub name: String,
    /// What it is about, in a line; may be empty.
    pub about: String,
    /// What is done.
    pub steps: Vec<Step>,
}

/// One thing that is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Goes to where MAIL may be said: greeting, EHLO or LHLO, and AUTH where mail is taken only
    /// after it. Only servers that offer these keywords are asked.
    Hello(Vec<String>),
    /// Sends octets, in one write, placeholders filled in.
    Write(Vec<u8>),
    /// Lets time pass.
    Wait(Duration),
    /// Closes the client's side.
    Finish,
    /// Does a TLS handshake.
    Tls,
}

/// A line of a script that cannot be understood.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {why}")]
pub struct Malformed {
    /// Counted from 1.
    pub line: usize,
    /// What is wrong with it.
    pub why: Cow<'static, str>,
}

impl Script {
    /// Reads a script.
    ///
    /// # Errors
    /// [`Malformed`]; also if it has too much of something, or nothing at all.
    pub fn read(name: &str, text: &str) -> Result<Self, Malformed> {
        let mut script = Self { name: name.into(), about: String::new(), steps: Vec::new() };
        let mut write = Vec::new();
        let mut last = 0;
        for (n, line) in text.lines().enumerate() {
            last = n + 1;
            let malformed = |why: Cow<'static, str>| Malformed { line: last, why };
            if let Some(comment) = line.strip_prefix('#') {
                if script.about.is_empty() {
                    script.about = comment.trim().into();
                }
                continue;
            }
            if line.trim().is_empty() || line.starts_with("S:") {
                continue;
            }
            let step = read_line(line, &mut write).map_err(malformed)?;
            if !write.is_empty() && !matches!(step, None | Some(Step::Write(_))) {
                return Err(malformed("what the C+ in front of it began is not ended".into()));
            }
            if matches!(step, Some(Step::Hello(_))) && !script.steps.is_empty() {
                return Err(malformed("<HELLO> is the first step or none".into()));
            }
            script.steps.extend(step);
            if script.octets() + write.len() > MOST_OCTETS || script.steps.len() > MOST_STEPS {
                return Err(malformed("the script is too long".into()));
            }
        }
        if script.steps.is_empty() || !write.is_empty() {
            let why = if write.is_empty() { "the script says nothing" } else { "C+ is the last" };
            return Err(Malformed { line: last, why: why.into() });
        }
        Ok(script)
    }

    /// How many octets it sends.
    pub fn octets(&self) -> usize {
        let writes = self.steps.iter().map(|step| match step {
            Step::Write(octets) => octets.len(),
            _ => 0,
        });
        writes.sum()
    }
}

/// The step that a line ends, if it ends one; what is in one write with the next goes to `write`.
fn read_line(line: &str, write: &mut Vec<u8>) -> Result<Option<Step>, Cow<'static, str>> {
    if let Some(time) = line.strip_prefix("T:") {
        return Ok(Some(Step::Wait(duration(time.trim())?)));
    }
    let line = line.strip_prefix('C').ok_or("C, S, T or # is expected")?;
    let (line, more) = line.strip_prefix('+').map_or((line, false), |line| (line, true));
    let (kind, text) = match line.as_bytes().first() {
        Some(kind @ (b':' | b'|' | b'*')) => (*kind, &line[1..]),
        _ if more => (b':', line),
        _ => return Err("C:, C+, C| or C* is expected".into()),
    };
    let text = text.strip_prefix(' ').unwrap_or(text);
    match kind {
        b'|' => write.extend(unescaped(text)?),
        b'*' => {
            let (count, part) = text.split_once(' ').ok_or("C* COUNT TEXT is expected")?;
            let count: usize = count.parse().map_err(|_| "COUNT is a number")?;
            let part = unescaped(part)?;
            if count.saturating_mul(part.len()) > MOST_OCTETS {
                return Err("the script is too long".into());
            }
            write.extend(part.repeat(count));
        }
        _ => match text {
            _ if is_hello(text) => {
                let keywords = text.trim_matches(['<', '>']).split(' ').skip(1);
                return Ok(Some(Step::Hello(keywords.map(str::to_owned).collect())));
            }
            "<TLS>" => return Ok(Some(Step::Tls)),
            "<EOF>" => return Ok(Some(Step::Finish)),
            _ => {
                write.extend_from_slice(text.as_bytes());
                write.extend_from_slice(b"\r\n");
            }
        },
    }
    if let Some(word) = unknown_placeholder(text) {
        return Err(format!("{{{word}}} stands for nothing").into());
    }
    Ok((!more).then(|| Step::Write(std::mem::take(write))))
}

fn is_hello(text: &str) -> bool {
    text == "<HELLO>" || text.starts_with("<HELLO ") && text.ends_with('>')
}

/// A word of small letters in braces that is none of [`PLACEHOLDERS`].
fn unknown_placeholder(text: &str) -> Option<&str> {
    let words = text.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0));
    let mut unknown = words
        .filter(|word| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase()))
        .filter(|word| !PLACEHOLDERS.contains(word));
    unknown.next()
}

/// The first placeholder in `octets`: what stands before it, its name, and what stands behind it.
pub(super) fn placeholder(octets: &[u8]) -> Option<(&[u8], &'static str, &[u8])> {
    let braces = octets.iter().enumerate().filter(|(_, octet)| **octet == b'{');
    for (at, _) in braces {
        let rest = &octets[at + 1..];
        for name in PLACEHOLDERS {
            if let Some(behind) = rest.strip_prefix(name.as_bytes())
                && let Some(behind) = behind.strip_prefix(b"}")
            {
                return Some((&octets[..at], name, behind));
            }
        }
    }
    None
}

fn duration(text: &str) -> Result<Duration, Cow<'static, str>> {
    let (number, unit) = match (text.strip_suffix("ms"), text.strip_suffix('s')) {
        (Some(number), _) => (number, 1),
        (None, Some(number)) => (number, 1_000),
        (None, None) => return Err("a time is a number and ms or s".into()),
    };
    let number: u64 = number.parse().map_err(|_| "a time is a number and ms or s")?;
    let time = Duration::from_millis(number.saturating_mul(unit));
    if time > MOST_TIME { Err("that is more than a minute".into()) } else { Ok(time) }
}

/// The octets that a text with escapes stands for.
pub(super) fn unescaped(text: &str) -> Result<Vec<u8>, Cow<'static, str>> {
    let mut octets = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let Some((&octet, behind)) = rest.split_first() {
        rest = behind;
        if octet != b'\\' {
            octets.push(octet);
            continue;
        }
        let (&kind, behind) = rest.split_first().ok_or("a backslash stands for nothing")?;
        rest = behind;
        octets.push(match kind {
            b'r' => b'\r',
            b'n' => b'\n',
            b't' => b'\t',
            b'0' => 0,
            b'\\' => b'\\',
            b'x' => {
                let (digits, behind) = rest.split_at_checked(2).ok_or("\\x has two digits")?;
                rest = behind;
                let digits = str::from_utf8(digits).map_err(|_| "\\x has two digits")?;
                u8::from_str_radix(digits, 16).map_err(|_| "\\x has two digits")?
            }
            _ => return Err("escapes are \\r \\n \\t \\0 \\\\ \\xNN".into()),
        });
    }
    Ok(octets)
}

impl Step {
    /// The lines that say it in a script.
    pub fn lines(&self) -> Vec<String> {
        match self {
            Self::Hello(keywords) => vec![format!(
                "C: <{}>",
                ["HELLO"]
                    .into_iter()
                    .chain(keywords.iter().map(String::as_str))
                    .collect::<Vec<_>>()
                    .join(" ")
            )],
            Self::Tls => vec!["C: <TLS>".into()],
            Self::Finish => vec!["C: <EOF>".into()],
            Self::Wait(time) => vec![format!("T: {}ms", time.as_millis())],
            Self::Write(octets) => write_lines(octets),
        }
    }
}

/// Octets that are the same for so long stand in a line of their own.
const LONG_RUN: usize = 60;

fn write_lines(octets: &[u8]) -> Vec<String> {
    let pieces: Vec<&[u8]> =
        octets.split_inclusive(|&b| b == b'\n').flat_map(apart_from_runs).collect();
    let mut lines = Vec::with_capacity(pieces.len());
    for (n, piece) in pieces.iter().enumerate() {
        let more = if n + 1 < pieces.len() { "+" } else { "" };
        let alike = piece.iter().all(|octet| Some(octet) == piece.first());
        let plain = piece.strip_suffix(b"\r\n").filter(|line| is_plain(line));
        lines.push(match (plain, piece) {
            (Some(line), _) => {
                let kind = if more.is_empty() { ":" } else { "+" };
                format!("C{kind} {}", String::from_utf8_lossy(line))
            }
            (None, [first, ..]) if alike && piece.len() >= LONG_RUN => {
                format!("C{more}* {} {}", piece.len(), escaped(&[*first]))
            }
            (None, _) => format!("C{more}| {}", escaped(piece)),
        });
    }
    if lines.is_empty() { vec!["C| ".into()] } else { lines }
}

/// Whether a line is read as it is written.
fn is_plain(line: &[u8]) -> bool {
    let marks: [&[u8]; 3] = [b"<HELLO", b"<TLS>", b"<EOF>"];
    line.iter().all(|octet| matches!(octet, b' '..=b'~'))
        && !line.ends_with(b" ")
        && !marks.iter().any(|mark| line.starts_with(mark))
}

/// `line` cut into long runs of one octet and what is between them.
fn apart_from_runs(line: &[u8]) -> Vec<&[u8]> {
    let mut pieces = Vec::new();
    let (mut from, mut at) = (0, 0);
    for run in line.chunk_by(|a, b| a == b) {
        if run.len() >= LONG_RUN {
            pieces.extend([&line[from..at], run]);
            from = at + run.len();
        }
        at += run.len();
    }
    pieces.push(&line[from..]);
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

fn escaped(octets: &[u8]) -> String {
    let mut text = String::with_capacity(octets.len());
    for &octet in octets {
        match octet {
            b'\r' => text.push_str("\\r"),
            b'\n' => text.push_str("\\n"),
            b'\t' => text.push_str("\\t"),
            0 => text.push_str("\\0"),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => text.push_str(&format!("\\x{octet:02X}")),
        }
    }
    text
}

impl fmt::Display for Script {
    /// As [`Script::read`] takes it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if !self.about.is_empty() {
            writeln!(f, "# {}", self.about)?;
        }
        for line in self.steps.iter().flat_map(Step::lines) {
            writeln!(f, "{line}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn steps(text: &str) -> Vec<Step> {
        Script::read("t", text).unwrap().steps
    }

    #[test]
    fn the_first_comment_says_what_a_script_is_about() {
        let script = Script::read("t", "\n# a tab\n# more\nC: NOOP\n").unwrap();
        assert_eq!((script.about.as_str(), script.steps.len()), ("a tab", 1));
    }

    #[test]
    fn lines_and_octets_of_one_write_stand_together() {
        let text = "C: <HELLO>\nS: 250\nC+ DATA\nC+| a\\\\\\x2e\\0\nC+* 3 x\nC: \nT: 2s\nC: <EOF>";
        let write = b"DATA\r\na\\.\0xxx\r\n".to_vec();
        let wait = Step::Wait(Duration::from_secs(2));
        let hello = Step::Hello(Vec::new());
        assert_eq!(steps(text), [hello, Step::Write(write), wait, Step::Finish]);
    }

    #[test]
    fn a_script_is_written_as_it_is_read() {
        let text = "# about\nC: <HELLO CHUNKING DSN>\nC+ MAIL FROM:<a@b> \nC+* 70 \\xFF\nC+| \\\\\\t\n\
                    C: {token}\nC| x\\r\nT: 20ms\nC: <TLS>\nC| \nC: <EOF>\nC| <EOF>\\r\\n\nC| <HELLO x\\r\\n\n";
        let script = Script::read("t", text).unwrap();
        assert_eq!(Script::read("t", &script.to_string()), Ok(script.clone()));
        assert!(script.to_string().contains("C+* 70 \\xFF\n"), "{script}");
    }

    #[test]
    fn slips_of_the_pen_are_named_with_their_line() {
        let slips = [
            ("C: NOOP\nD: x", 2, "expected"),
            ("C; x", 1, "expected"),
            ("C: RCPT TO:<{recipent}>", 1, "{recipent}"),
            ("C: NOOP\nC: <HELLO>", 2, "first step"),
            ("C+ NOOP", 1, "C+"),
            ("C+ NOOP\nC: <EOF>", 2, "not ended"),
            ("C| \\q", 1, "escapes"),
            ("C| \\x4", 1, "two digits"),
            ("T: 2h", 1, "a time"),
            ("T: 61s", 1, "minute"),
            ("C* 99999999999 ab", 1, "too long"),
            ("# nothing", 1, "says nothing"),
        ];
        for (text, line, why) in slips {
            let slip = Script::read("t", text).unwrap_err();
            assert_eq!(slip.line, line, "{text}");
            assert!(slip.why.contains(why), "{text}: {slip}");
        }
    }

    #[test]
    fn a_script_has_an_end() {
        assert!(Script::read("t", &"C: NOOP\n".repeat(MOST_STEPS)).is_ok());
        assert!(Script::read("t", &"C: NOOP\n".repeat(MOST_STEPS + 1)).is_err());
        assert!(Script::read("t", &"C+* 1000000 x\n".repeat(17)).is_err());
    }

    #[test]
    fn only_known_words_in_braces_are_placeholders() {
        assert_eq!(placeholder(b"{a}<{domain}>"), Some((&b"{a}<"[..], "domain", &b">"[..])));
        assert_eq!(placeholder(b"{tokens} {Token}"), None);
    }
}
