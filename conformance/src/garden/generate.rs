//! Scripts that nobody wrote: valid sessions, changed in one place or two.
//!
//! Script `n` of a seed is the same in every run, whatever the other scripts are.

use super::{
    forms,
    kept::TOKEN_LENGTH,
    script::{Script, Step, unescaped},
};
use crate::transcript::visible;
use fastrand::Rng;

/// `count` scripts.
pub fn scripts(seed: u64, count: usize) -> Vec<Script> {
    (0..count).map(|n| script(seed, n)).collect()
}

fn script(seed: u64, n: usize) -> Script {
    // Neighbouring seeds must not share scripts.
    let number = u64::try_from(n).unwrap_or(u64::MAX);
    let mut rng = Rng::with_seed(Rng::with_seed(seed).u64(..).wrapping_add(number));
    let mut session = Session::any(&mut rng);
    let mut about = Vec::new();
    // A second change shows what depends on two things, and costs clearness.
    let changes = if rng.u8(..4) == 0 { 2 } else { 1 };
    while about.len() < changes {
        about.extend(change(&mut session, &mut rng));
    }
    let name = format!("g{seed}-{n}");
    Script { name, about: about.join("; "), steps: session.steps() }
}

/// A session, before it is a script.
struct Session {
    lines: Vec<Line>,
    /// All in one write, as far as it can be.
    pipelined: bool,
    /// The client closes its side behind this line.
    end: Option<usize>,
}

/// Something that is said, with its kind, by which changes find it.
struct Line {
    kind: Kind,
    octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Hello,
    Mail,
    Rcpt,
    Data,
    /// BDAT with its octets.
    Chunk,
    Message,
    Other,
}

/// The greeting by name, where a session does not begin behind it.
const HELLO: &str = "{hello} client.example\r\n";
const MAIL: &str = "MAIL FROM:<a@client.example>\r\n";
const RCPT: &str = "RCPT TO:<{recipient}>\r\n";

/// A message. The token stands last in the header: what a server adds comes in front of it.
fn message(field: &str, body: &[u8]) -> Vec<u8> {
    let mut octets = format!(
        "{field}From: <a@client.example>\r\nTo: <b@client.example>\r\n\
         Date: Mon, 02 Nov 2026 12:00:00 +0000\r\nMessage-ID: <{{token}}@client.example>\r\n\
         Subject: {{token}}\r\n\r\n"
    )
    .into_bytes();
    octets.extend_from_slice(body);
    octets
}

/// How many octets are sent in its place.
fn length(octets: &[u8]) -> usize {
    let tokens = octets.windows(b"{token}".len()).filter(|part| part == b"{token}").count();
    octets.len() + tokens * TOKEN_LENGTH - tokens * b"{token}".len()
}

fn chunk(words: &str, octets: &[u8]) -> Vec<u8> {
    let words = words.replace('#', &length(octets).to_string());
    [format!("BDAT{words}\r\n").as_bytes(), octets].concat()
}

impl Session {
    fn any(rng: &mut Rng) -> Self {
        let mut session = Self { lines: Vec::new(), pipelined: false, end: None };
        let kind = rng.u8(..8);
        // Without a greeting of its own a session begins where MAIL may be said.
        if kind != 1 && rng.u8(..5) == 0 {
            session.push(Kind::Hello, HELLO);
        }
        match kind {
            0 => {
                session.push(Kind::Mail, MAIL);
                session.push(Kind::Other, "RSET\r\n");
                session.push(Kind::Other, "NOOP\r\n");
            }
            1 => {
                session.push(Kind::Mail, MAIL);
                session.push(Kind::Rcpt, RCPT);
                let octets = chunk(" # LAST", &message("", b"chunk\r\n"));
                session.lines.push(Line { kind: Kind::Chunk, octets });
            }
            kind => {
                session.push(Kind::Mail, MAIL);
                session.push(Kind::Rcpt, RCPT);
                if kind == 2 {
                    session.push(Kind::Rcpt, "RCPT TO:<{other}>\r\n");
                }
                session.push(Kind::Data, "DATA\r\n");
                session.message(&message("", b"text\r\n"));
            }
        }
        session
    }

    fn push(&mut self, kind: Kind, text: &str) {
        self.lines.push(Line { kind, octets: text.as_bytes().to_vec() });
    }

    fn message(&mut self, octets: &[u8]) {
        let octets = [octets, b".\r\n"].concat();
        self.lines.push(Line { kind: Kind::Message, octets });
    }

    /// A line of this kind.
    fn line(&mut self, kind: Kind) -> Option<&mut Line> {
        self.lines.iter_mut().find(|line| line.kind == kind)
    }

    /// A line that is a command.
    fn command(&mut self, rng: &mut Rng) -> Option<&mut Line> {
        let commands = self.lines.iter_mut().filter(|line| line.kind != Kind::Message);
        let mut commands: Vec<_> = commands.collect();
        let n = rng.usize(..commands.len().max(1));
        (n < commands.len()).then(|| commands.swap_remove(n))
    }

    /// NOOP behind it all shows whether the server is still in step.
    fn steps(self) -> Vec<Step> {
        let mut steps = Vec::new();
        if self.lines.first().is_none_or(|line| line.kind != Kind::Hello) {
            let chunks = self.lines.iter().any(|line| line.kind == Kind::Chunk);
            steps.push(Step::Hello(chunks.then(|| "CHUNKING".to_owned()).into_iter().collect()));
        }
        let mut write = Vec::new();
        for (n, line) in self.lines.into_iter().enumerate() {
            // A message is never sent before the server is ready for it, RFC 2920 §3.1.
            let waits = line.kind == Kind::Hello || line.kind == Kind::Data;
            write.extend(line.octets);
            let ends = self.end == Some(n);
            if !self.pipelined || waits || ends {
                steps.push(Step::Write(std::mem::take(&mut write)));
            }
            if ends {
                steps.push(Step::Finish);
                return steps;
            }
        }
        if !write.is_empty() {
            steps.push(Step::Write(write));
        }
        steps.push(Step::Write(b"NOOP\r\n".to_vec()));
        steps
    }
}

/// A change; what it did, or nothing if there is no place for it.
type Change = fn(&mut Session, &mut Rng) -> Option<String>;

/// Makes one; common places of faults come more often.
fn change(session: &mut Session, rng: &mut Rng) -> Option<String> {
    const ALL: [Change; 22] = [
        mail_path,
        mail_path,
        rcpt_path,
        rcpt_path,
        mail_parameter,
        mail_parameter,
        rcpt_parameter,
        two_parameters,
        hello,
        hello,
        command,
        command,
        order,
        verb,
        spaces,
        colon,
        odd_octet,
        line_end,
        long_line,
        chunked,
        text,
        ending,
    ];
    rng.choice(ALL)?(session, rng)
}

/// The octets that a form stands for; a test reads them all.
fn octets(form: &str) -> Vec<u8> {
    unescaped(form).unwrap_or_default()
}

fn quoted(octets: impl AsRef<[u8]>) -> String {
    format!("\"{}\"", visible(octets.as_ref()))
}

/// One of `forms`, or one that is as long as a limit of RFC 5321 §4.5.3.1, or one more.
fn path(forms: &[String], domain: &str, rng: &mut Rng) -> String {
    let a = |count| "a".repeat(count);
    match rng.u8(..12) {
        0 => format!("<{}@{domain}>", a(rng.choice([64, 65, 200, 900]).unwrap_or_default())),
        1 => format!("<a@{}.example>", a(rng.choice([63, 64]).unwrap_or_default())),
        2 => format!("<a@{}example>", format!("{}.", a(50)).repeat(5)),
        _ => rng.choice(forms).cloned().unwrap_or_default(),
    }
}

fn mail_path(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let path = path(&forms::all().reverse_paths, "client.example", rng);
    session.line(Kind::Mail)?.octets = format!("MAIL FROM:{path}\r\n").into_bytes();
    Some(format!("MAIL from {}", quoted(path)))
}

fn rcpt_path(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let path = path(&forms::all().forward_paths, "{domain}", rng);
    session.line(Kind::Rcpt)?.octets = format!("RCPT TO:{path}\r\n").into_bytes();
    Some(format!("RCPT to {}", quoted(path)))
}

fn parameter(session: &mut Session, kind: Kind, words: &str) -> Option<String> {
    let line = session.line(kind)?;
    let end = line.octets.strip_suffix(b"\r\n")?.len();
    line.octets.truncate(end);
    line.octets.extend(format!(" {words}\r\n").into_bytes());
    Some(format!("{kind:?} with {}", quoted(words)))
}

fn mail_parameter(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let words = rng.choice(&forms::all().mail_parameters)?;
    parameter(session, Kind::Mail, words)
}

fn rcpt_parameter(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let words = rng.choice(&forms::all().rcpt_parameters)?;
    parameter(session, Kind::Rcpt, words)
}

/// A parameter twice, two of them, or one that is long.
fn two_parameters(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let (kind, all) = match rng.bool() {
        true => (Kind::Mail, &forms::all().mail_parameters),
        false => (Kind::Rcpt, &forms::all().rcpt_parameters),
    };
    let one = rng.choice(all)?;
    let other = match rng.u8(..3) {
        0 => one.clone(),
        1 => rng.choice(all)?.clone(),
        _ => format!("ENVID={}", "a".repeat(rng.choice([100, 101, 400, 1_000, 5_000])?)),
    };
    parameter(session, kind, &format!("{one} {other}"))
}

fn hello(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let mut argument = rng.choice(&forms::all().hello_arguments)?.clone();
    if rng.u8(..8) == 0 {
        argument = format!(" {}.example", "a".repeat(rng.choice([63, 64, 255, 500, 1_000])?));
    }
    let octets = format!("{{hello}}{argument}\r\n").into_bytes();
    match session.line(Kind::Hello) {
        Some(line) => line.octets = octets,
        None => session.lines.insert(0, Line { kind: Kind::Hello, octets }),
    }
    Some(format!("EHLO with {}", quoted(argument)))
}

/// Another command somewhere.
fn command(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let text = rng.choice(&forms::all().commands)?;
    // Never between DATA and its message, of which it would be a part.
    let places: Vec<usize> = (0..=session.lines.len())
        .filter(|&n| session.lines.get(n).is_none_or(|line| line.kind != Kind::Message))
        .collect();
    let at = *rng.choice(&places)?;
    let octets = format!("{text}\r\n").into_bytes();
    session.lines.insert(at, Line { kind: Kind::Other, octets });
    Some(format!("{} at {}", quoted(text), at + 1))
}

/// A command left out, said twice, or two of them the other way round.
fn order(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let commands = session.lines.iter().take_while(|line| line.kind != Kind::Data).count();
    let at = rng.usize(..commands.max(1));
    match rng.u8(..3) {
        0 if commands > 1 => {
            let line = session.lines.remove(at);
            Some(format!("without {}", quoted(line.octets)))
        }
        1 => {
            let Line { kind, octets } = session.lines.get(at)?;
            let (kind, octets) = (*kind, octets.clone());
            let about = format!("twice {}", quoted(&octets));
            session.lines.insert(at, Line { kind, octets });
            Some(about)
        }
        _ if at + 1 < commands => {
            session.lines.swap(at, at + 1);
            Some(format!("{} comes too early", quoted(&session.lines.get(at)?.octets)))
        }
        _ => None,
    }
}

/// A verb in another case, cut, or with something in it.
fn verb(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let line = session.command(rng)?;
    let word = line.octets.iter().take_while(|octet| octet.is_ascii_alphabetic()).count();
    if word == 0 {
        return None;
    }
    let at = rng.usize(..word);
    match rng.u8(..5) {
        0 => line.octets[..word].make_ascii_lowercase(),
        1 => line.octets[at].make_ascii_lowercase(),
        2 => drop(line.octets.remove(at)),
        3 => line.octets.insert(word, b'S'),
        _ => line.octets.insert(0, b' '),
    }
    Some(format!("the verb is {}", quoted(line.octets.get(..word + 1)?)))
}

fn spaces(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let spaces = rng.choice(&forms::all().spaces)?;
    let line = session.command(rng)?;
    let at = line.octets.iter().position(|&octet| octet == b' ')?;
    line.octets.splice(at..=at, spaces.bytes());
    Some(format!("{} for a space", quoted(spaces)))
}

fn colon(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let around = rng.choice(&forms::all().around_colon)?;
    let kind = if rng.bool() { Kind::Mail } else { Kind::Rcpt };
    let line = session.line(kind)?;
    let at = line.octets.iter().position(|&octet| octet == b':')?;
    line.octets.splice(at..=at, around.bytes());
    Some(format!("{kind:?} with {} for the colon", quoted(around)))
}

fn odd_octet(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let odd = octets(rng.choice(&forms::all().odd_octets)?);
    let line = session.command(rng)?;
    // Anywhere in the line itself, but in no placeholder.
    let end = line.octets.iter().position(|&octet| octet == b'\r' || octet == b'{')?;
    let at = rng.usize(..=end);
    line.octets.splice(at..at, odd.iter().copied());
    Some(format!("{} in a command", quoted(odd)))
}

fn line_end(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let end = octets(rng.choice(&forms::all().line_ends)?);
    let line = session.command(rng)?;
    let at = line.octets.windows(2).position(|pair| pair == b"\r\n")?;
    line.octets.splice(at..at + 2, end.iter().copied());
    let text: String = end.escape_ascii().to_string();
    Some(format!("a line ends in {text}"))
}

/// A line that is as long as a limit (RFC 5321 §4.5.3.1.4), or longer.
fn long_line(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let length = rng.choice([511, 512, 513, 1_000, 2_048, 4_096, 20_000, 100_000])?;
    let with = rng.choice([b'a', b' ', b'@', b'.', b'\t', b'<'])?;
    let octets = [b"NOOP ", vec![with; length - 7].as_slice(), b"\r\n"].concat();
    session.lines.insert(0, Line { kind: Kind::Other, octets });
    Some(format!("NOOP of {length} octets {}", quoted([with])))
}

fn chunked(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let words = rng.choice(&forms::all().chunks)?;
    let octets = message("", &octets(rng.choice(&forms::all().bodies)?));
    let line = session.line(Kind::Chunk)?;
    line.octets = match rng.u8(..4) {
        // The message in two chunks, cut anywhere.
        0 => {
            let (one, two) = octets.split_at(rng.usize(..=octets.len()));
            if length(one) + length(two) != length(&octets) {
                return None;
            }
            [chunk(" #", one), chunk(words, two)].concat()
        }
        _ => chunk(words, &octets),
    };
    Some(format!("BDAT with {}", quoted(words)))
}

/// Another message.
fn text(session: &mut Session, rng: &mut Rng) -> Option<String> {
    let line = session.line(Kind::Message)?;
    let (octets, about) = match rng.u8(..6) {
        0 => {
            let length = rng.choice([998, 999, 1_000, 2_000, 10_000, 100_000])?;
            let body = [&vec![b'a'; length][..], b"\r\n"].concat();
            (message("", &body), format!("a line of {length} octets and CRLF"))
        }
        1 | 2 => {
            let field = rng.choice(&forms::all().fields)?;
            (message(&format!("{field}\r\n"), b"text\r\n"), format!("the field {}", quoted(field)))
        }
        3 => (b"no header {token}\r\n".to_vec(), "a message without a header".into()),
        _ => {
            let body = octets(rng.choice(&forms::all().bodies)?);
            (message("", &body), format!("the body \"{}\"", body.escape_ascii()))
        }
    };
    line.octets = [&octets[..], b".\r\n"].concat();
    // Where the body does not end with its line, the end of data is part of a line.
    if !octets.ends_with(b"\r\n") {
        line.octets.extend_from_slice(b"\r\n.\r\n");
    }
    Some(about)
}

/// How the session is cut: in one write, or ended by the client in the middle of it.
fn ending(session: &mut Session, rng: &mut Rng) -> Option<String> {
    if rng.bool() && !session.pipelined {
        session.pipelined = true;
        return Some("all in one write".into());
    }
    let at = rng.usize(..session.lines.len().max(1));
    session.end = Some(at);
    let line = session.lines.get_mut(at)?;
    if rng.bool() {
        let length = rng.usize(..line.octets.len().max(1));
        line.octets.truncate(length);
        return Some(format!("the client closes in the middle of line {}", at + 1));
    }
    Some(format!("the client closes its side behind line {}", at + 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn the_same_seed_makes_the_same_scripts() {
        assert_eq!(scripts(17, 200), scripts(17, 200));
        assert_eq!(scripts(17, 200)[..50], scripts(17, 50)[..]);
        let steps = |seed| scripts(seed, 50).into_iter().map(|script| script.steps).collect();
        let (one, other): (Vec<_>, Vec<_>) = (steps(17), steps(18));
        assert!(one.iter().filter(|steps| other.contains(steps)).count() < 10);
    }

    #[test]
    fn each_is_written_as_it_is_read_and_says_what_it_is_about() {
        for script in scripts(3, 3_000) {
            let read = Script::read(&script.name, &script.to_string());
            assert_eq!(read.as_ref(), Ok(&script), "{script}");
            assert!(!script.about.is_empty());
        }
    }

    #[test]
    fn every_change_is_made_and_few_scripts_are_the_same() {
        let all = scripts(1, 3_000);
        let words = "MAIL from,RCPT to,Mail with \"SIZE,Rcpt with \"NOTIFY,EHLO with,at 1,without,twice,\
                     too early,the verb is,for a space,for the colon,in a command,a line ends in,NOOP of,\
                     BDAT with,a line of,the field,without a header,the body,one write,closes";
        for word in words.split(',') {
            assert!(all.iter().any(|script| script.about.contains(word)), "{word}");
        }
        let different: BTreeSet<String> =
            all.iter().map(|one| format!("{:?}", one.steps)).collect();
        assert!(different.len() > 1_800, "{}", different.len());
    }

    #[test]
    fn a_chunk_counts_the_octets_that_the_token_has() {
        assert_eq!(length(b"a{token}b"), TOKEN_LENGTH + 2);
        let octets = chunk(" # LAST", b"{token}\r\n");
        assert_eq!(octets, format!("BDAT {} LAST\r\n{{token}}\r\n", TOKEN_LENGTH + 2).as_bytes());
    }
}
