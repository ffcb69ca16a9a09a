//! What was said for one message, in words for people.

use crate::policy::{Said, Watch};
use smtp_driver::tls::Verified;
use std::{
    collections::VecDeque,
    fmt::{self, Write},
    mem,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Octets of a line that are kept.
const LINE: usize = 1_024;

/// Writes down what its [`Watch`] is shown, line by line, in bounded memory. Clones are the same
/// transcript.
///
/// `C:` is what we said and `S:` what the server did, both without passwords and without the octets
/// of messages; `--` is what happened otherwise:
///
/// ```text
/// -- mx1.example.net, 192.0.2.1:25
/// -- mx1.example.net: connecting: 451 4.4.1 no connection: connection refused
/// -- mx2.example.net, 192.0.2.2:25
/// S: 220 mx2.example.net
/// C: EHLO client.example.org
/// S: 250 mx2.example.net
/// C: MAIL FROM:<a@example.org>
/// S: 451 4.3.0 later
/// ```
///
/// Each line is printable: line breaks, control characters and changes of direction are escaped.
#[derive(Clone, Debug)]
pub struct Transcript(Arc<Mutex<Lines>>);

#[derive(Debug)]
struct Lines {
    /// Octets of each half.
    half: usize,
    first: String,
    last: VecDeque<String>,
    /// Octets of `last`.
    last_size: usize,
    /// Lines between the two that are gone.
    cut: usize,
    /// Octets of the message that were sent and stand in no line.
    body: u64,
}

impl Transcript {
    /// An empty transcript, of which about `size` octets are kept: the first and the last half, and
    /// between them how many lines are missing.
    #[must_use]
    pub fn new(size: usize) -> Self {
        let (first, last) = (String::new(), VecDeque::new());
        let lines = Lines { half: size / 2, first, last, last_size: 0, cut: 0, body: 0 };
        Self(Arc::new(Mutex::new(lines)))
    }

    /// Writes down all that it is shown.
    #[must_use]
    pub fn watch(&self) -> Watch {
        let transcript = self.clone();
        Watch::new(move |said| transcript.lock().take(said))
    }

    fn lock(&self) -> MutexGuard<'_, Lines> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl fmt::Display for Transcript {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines = self.lock();
        lines.take_body();
        f.write_str(&lines.first)?;
        match lines.cut {
            0 => {}
            1 => f.write_str("-- 1 line is missing here\n")?,
            n => writeln!(f, "-- {n} lines are missing here")?,
        }
        lines.last.iter().try_for_each(|line| f.write_str(line))
    }
}

impl Lines {
    fn take(&mut self, said: Said<'_>) {
        if let Said::Body(size) = said {
            self.body += size;
            return;
        }
        self.take_body();
        match said {
            Said::Client(line) => self.push(format_args!("C: {line}")),
            Said::Server(_, reply) => {
                let mut lines = reply.lines().peekable();
                while let Some(line) = lines.next() {
                    let mark = if lines.peek().is_some() { '-' } else { ' ' };
                    let line = String::from_utf8_lossy(line);
                    self.push(format_args!("S: {}{mark}{line}", reply.code()));
                }
            }
            Said::Connection { host, endpoint, kept } => {
                let kept = if kept { ", a connection that was kept" } else { "" };
                self.push(format_args!("-- {host}, {endpoint}{kept}"));
            }
            Said::Tls(tls) => {
                let (version, cipher, name) = (tls.version, &tls.cipher, &tls.server_name);
                match &tls.verified {
                    Verified::Yes => {
                        self.push(format_args!("-- {version} {cipher}, verified: {name}"));
                    }
                    Verified::No(why) => {
                        self.push(format_args!("-- {version} {cipher}, not verified: {why}"));
                    }
                }
            }
            Said::Failure(failure) => self.push(format_args!("-- {failure}")),
            Said::Body(_) => {}
        }
    }

    /// The octets of a message have a line together.
    fn take_body(&mut self) {
        match mem::take(&mut self.body) {
            0 => {}
            size => self.push(format_args!("C: [{size} octets]")),
        }
    }

    fn push(&mut self, text: fmt::Arguments<'_>) {
        let mut line = Line(String::new());
        // It is full, and that is all that can be wrong.
        let is_whole = line.write_fmt(text).is_ok();
        let Line(mut line) = line;
        line.push_str(if is_whole { "\n" } else { "…\n" });
        if self.last.is_empty() && self.first.len() + line.len() <= self.half {
            return self.first.push_str(&line);
        }
        self.last_size += line.len();
        self.last.push_back(line);
        while self.last_size > self.half
            && let Some(line) = self.last.pop_front()
        {
            self.last_size -= line.len();
            self.cut += 1;
        }
    }
}

/// A printable line of bounded length.
struct Line(String);

impl fmt::Write for Line {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        for char in text.chars() {
            if self.0.len() >= LINE {
                return Err(fmt::Error);
            }
            match char {
                '"' | '\'' | '\\' => self.0.push(char),
                char => self.0.extend(char.escape_debug()),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(size: usize, lines: usize) -> String {
        let transcript = Transcript::new(size);
        let watch = transcript.watch();
        (0..lines).for_each(|line| watch.show(Said::Client(format_args!("line {line}"))));
        transcript.to_string()
    }

    #[test]
    fn what_is_too_long_is_cut_in_the_middle() {
        assert_eq!(written(40, 4), "C: line 0\nC: line 1\nC: line 2\nC: line 3\n");
        assert_eq!(
            written(40, 9),
            "C: line 0\nC: line 1\n-- 5 lines are missing here\nC: line 7\nC: line 8\n"
        );
        assert!(written(40, 5).contains("\n-- 1 line is missing here\n"));
        assert!(written(16 << 10, 100_000).len() < 17 << 10);
    }

    #[test]
    fn a_line_is_one_line_and_not_long() {
        let transcript = Transcript::new(16 << 10);
        let watch = transcript.watch();
        watch.show(Said::Client(format_args!("a\r\nS: 250 ok\u{1b}[2J\u{202e} \"ü\" \\")));
        watch.show(Said::Client(format_args!("{}", "x".repeat(10_000))));
        let text = transcript.to_string();
        let (first, second) = text.split_once('\n').unwrap_or_default();
        assert_eq!(first, "C: a\\r\\nS: 250 ok\\u{1b}[2J\\u{202e} \"ü\" \\");
        assert!(second.len() <= LINE + 4 && second.ends_with("x…\n"), "{second}");
    }

    #[test]
    fn the_octets_of_a_message_are_only_counted() {
        let transcript = Transcript::new(100);
        let watch = transcript.watch();
        (1..=3).for_each(|size| watch.show(Said::Body(size)));
        assert_eq!(transcript.to_string(), "C: [6 octets]\n");
    }
}
