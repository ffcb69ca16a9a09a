//! What was said, as it can be shown to a person.

use serde::{Deserialize, Serialize};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// One thing that happened on a connection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "who", content = "text", rename_all = "snake_case")]
pub enum Line {
    /// The client sent these octets, control characters escaped.
    Client(String),
    /// The server sent this line, control characters escaped.
    Server(String),
    /// Something else: closed, silent, TLS.
    Note(String),
}

impl std::fmt::Display for Line {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Client(text) => write!(f, "C: {text}"),
            Self::Server(text) => write!(f, "S: {text}"),
            Self::Note(text) => write!(f, "-- {text}"),
        }
    }
}

/// The dialogue of one session, shared between the session and the case that judges it.
#[derive(Clone, Debug, Default)]
pub struct Transcript(Arc<Mutex<Vec<Line>>>);

/// Lines that a transcript keeps; a case that says more is shown with a gap.
const MOST_LINES: usize = 400;
/// Characters that one line keeps.
const MOST_CHARS: usize = 300;

impl Transcript {
    fn lock(&self) -> MutexGuard<'_, Vec<Line>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Appends a line; gives its number.
    pub fn push(&self, line: Line) -> usize {
        let mut lines = self.lock();
        if lines.len() < MOST_LINES {
            lines.push(line);
        } else if lines.len() == MOST_LINES {
            lines.push(Line::Note("and so on".into()));
        }
        lines.len() - 1
    }

    /// The number of the last line.
    pub fn last(&self) -> usize {
        self.lock().len().saturating_sub(1)
    }

    /// All lines.
    pub fn lines(&self) -> Vec<Line> {
        self.lock().clone()
    }
}

/// Octets as a person can read them: CRLF at the end left out, everything else that is not
/// printable ASCII escaped, and long texts cut in the middle.
pub fn visible(octets: &[u8]) -> String {
    let octets = octets.strip_suffix(b"\r\n").unwrap_or(octets);
    let mut text = String::new();
    for &octet in octets {
        match octet {
            b'\r' => text.push_str("<CR>"),
            b'\n' => text.push_str("<LF>"),
            b'\t' => text.push_str("<TAB>"),
            0 => text.push_str("<NUL>"),
            b' '..=b'~' => text.push(char::from(octet)),
            _ => text.push_str(&format!("<{octet:02X}>")),
        }
        if text.len() > 2 * MOST_CHARS {
            break;
        }
    }
    if text.len() > MOST_CHARS {
        text.truncate(MOST_CHARS);
        text.push_str(&format!(" … ({} octets)", octets.len()));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn control_characters_are_visible_and_long_lines_are_cut() {
        assert_eq!(visible(b"a\r\n.\r\x00\xff\r\n"), "a<CR><LF>.<CR><NUL><FF>");
        let long = visible(&[b'x'; 5_000]);
        assert!(long.ends_with("(5000 octets)") && long.len() < 400);
    }

    #[test]
    fn a_transcript_that_goes_on_for_ever_is_kept_short() {
        let transcript = Transcript::default();
        for _ in 0..3 * MOST_LINES {
            transcript.push(Line::Note("x".into()));
        }
        assert_eq!(transcript.lines().len(), MOST_LINES + 1);
    }
}
