//! What others wrote, on a terminal: nothing of it is a command to that.

use std::fmt::{self, Write as _};

/// Whether a terminal shows it and does nothing else. Not so: what controls (C0, C1, DEL), what
/// turns the direction of text round, what has no shape of its own.
fn is_plain(c: char) -> bool {
    matches!(c, '"' | '\'' | '\\') || c.escape_debug().len() == 1
}

/// Text on one line, with all that is not plain escaped as Rust does: `\u{1b}`.
pub(super) struct Printable<'t>(pub(super) &'t str);

impl fmt::Display for Printable<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.chars().try_for_each(|c| write_char(f, c))
    }
}

fn write_char(to: &mut impl fmt::Write, c: char) -> fmt::Result {
    if is_plain(c) { to.write_char(c) } else { write!(to, "{}", c.escape_debug()) }
}

/// The same JSON, with all that is not plain escaped: what is not ASCII is in a string.
pub(super) fn json(json: &str) -> String {
    let mut text = String::with_capacity(json.len());
    for c in json.chars() {
        if is_plain(c) {
            text.push(c);
        } else {
            for unit in c.encode_utf16(&mut [0; 2]) {
                // A string takes everything.
                let _ = write!(text, "\\u{unit:04x}");
            }
        }
    }
    text
}

/// Makes octets that come in pieces printable: line ends and tabs stay, and what is no UTF-8 is
/// escaped octet by octet.
#[derive(Debug, Default)]
pub(super) struct Pieces {
    /// The beginning of a character.
    rest: Vec<u8>,
    /// Whether a CR came before: with LF it is a line end.
    cr: bool,
}

impl Pieces {
    /// What can be printed now.
    pub(super) fn next(&mut self, octets: &[u8]) -> String {
        let mut all = std::mem::take(&mut self.rest);
        all.extend_from_slice(octets);
        let (mut text, mut left) = (String::with_capacity(all.len()), &all[..]);
        while let Err(error) = std::str::from_utf8(left) {
            let (valid, other) = left.split_at(error.valid_up_to());
            self.write(&mut text, valid);
            let Some(wrong) = error.error_len() else {
                self.rest = other.to_vec();
                return text;
            };
            self.end_cr(&mut text);
            text.extend(other[..wrong].iter().map(|octet| format!("\\x{octet:02x}")));
            left = &other[wrong..];
        }
        self.write(&mut text, left);
        text
    }

    /// What is left at the end.
    pub(super) fn end(mut self) -> String {
        let mut text = String::new();
        self.end_cr(&mut text);
        text.extend(self.rest.iter().map(|octet| format!("\\x{octet:02x}")));
        text
    }

    /// `valid` is UTF-8.
    fn write(&mut self, text: &mut String, valid: &[u8]) {
        for c in String::from_utf8_lossy(valid).chars() {
            match c {
                '\n' => self.cr = false,
                _ => self.end_cr(text),
            }
            match c {
                '\r' => self.cr = true,
                '\n' | '\t' => text.push(c),
                // A string takes everything.
                c => drop(write_char(text, c)),
            }
        }
    }

    fn end_cr(&mut self, text: &mut String) {
        if std::mem::take(&mut self.cr) {
            text.push_str("\\r");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_controls_a_terminal_is_shown_and_not_done() {
        let text = "\"a'b\\c\"@ä.example \u{1b}[2J\u{9b}1m\r\n\u{7f}\u{202e}\u{200b}\u{feff}";
        let shown =
            "\"a'b\\c\"@ä.example \\u{1b}[2J\\u{9b}1m\\r\\n\\u{7f}\\u{202e}\\u{200b}\\u{feff}";
        assert_eq!(Printable(text).to_string(), shown);
    }

    #[test]
    fn json_means_the_same() {
        let text = "\u{1b}\u{7f}\u{9b}\u{202e}\u{e0001}\u{feff}\n\"ä\\";
        let printed = json(&serde_json::to_string(text).unwrap());
        assert!(printed.chars().all(is_plain), "{printed}");
        assert_eq!(serde_json::from_str::<String>(&printed).unwrap(), text);
    }

    #[test]
    fn octets_are_the_same_in_pieces_of_any_length() {
        let octets = b"A: \xc3\xa4\r\n\r\n\tx\x1b[2J\ry\xff\xc3\r\n\xe2\x82\xac\xc2\x9b\r\xe2\x82";
        let shown = "A: ä\n\n\tx\\u{1b}[2J\\ry\\xff\\xc3\n€\\u{9b}\\r\\xe2\\x82";
        for length in 1..=octets.len() {
            let mut pieces = Pieces::default();
            let mut text: String = octets.chunks(length).map(|piece| pieces.next(piece)).collect();
            text += &pieces.end();
            assert_eq!(text, shown, "{length}");
        }
    }
}
