//! A message as a mailbox keeps it, taken apart.

use crate::mailbox::contains;

/// A stored message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    /// The octets as they are stored.
    pub octets: Vec<u8>,
    /// The mailbox keeps lines as they were sent, with CRLF; otherwise with LF alone, and then a
    /// bare LF cannot be told from the end of a line.
    pub keeps_crlf: bool,
    /// The header section, from the top.
    pub header: Vec<Field>,
    /// The lines of the body, without their ends.
    pub body: Vec<Vec<u8>>,
}

/// A header field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Field {
    /// Its name as it is written; empty if the line has no colon.
    pub name: String,
    /// What stands behind the colon, folded lines joined with LF, octets outside UTF-8 replaced.
    pub value: String,
}

impl Field {
    fn of(line: &[u8]) -> Self {
        let text = String::from_utf8_lossy(line);
        match text.split_once(':') {
            Some((name, value)) => {
                Self { name: name.trim_end().into(), value: value.trim_start().into() }
            }
            None => Self { name: String::new(), value: text.into_owned() },
        }
    }

    /// Whether it has this name.
    pub fn is(&self, name: &str) -> bool {
        self.name.eq_ignore_ascii_case(name)
    }

    /// The value on one line, white space as single spaces.
    pub fn unfolded(&self) -> String {
        self.value.split_ascii_whitespace().collect::<Vec<_>>().join(" ")
    }
}

impl Stored {
    /// Takes a message apart at the line ends that its mailbox uses; nothing is wrong enough to
    /// fail.
    pub fn new(octets: Vec<u8>) -> Self {
        let first_end = octets.iter().position(|&b| b == b'\n').unwrap_or(octets.len());
        let keeps_crlf = octets[..first_end].ends_with(b"\r");
        let mut lines = lines(&octets, if keeps_crlf { b"\r\n" } else { b"\n" }).into_iter();
        let mut header: Vec<Field> = Vec::new();
        for line in lines.by_ref().take_while(|line| !line.is_empty()) {
            match header.last_mut() {
                Some(field) if line.starts_with(b" ") || line.starts_with(b"\t") => {
                    field.value.push('\n');
                    field.value.push_str(&String::from_utf8_lossy(line));
                }
                _ => header.push(Field::of(line)),
            }
        }
        let body = lines.map(<[u8]>::to_vec).collect();
        Self { octets, keeps_crlf, header, body }
    }

    /// All fields with this name, from the top.
    pub fn fields<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Field> {
        self.header.iter().filter(move |field| field.is(name))
    }

    /// The place of the first field with this name.
    pub fn position(&self, name: &str) -> Option<usize> {
        self.header.iter().position(|field| field.is(name))
    }

    /// Whether these octets are somewhere in it.
    pub fn has(&self, part: impl AsRef<[u8]>) -> bool {
        contains(&self.octets, part.as_ref())
    }

    /// Whether the body is exactly these lines.
    pub fn body_is<L: AsRef<[u8]>>(&self, lines: &[L]) -> bool {
        self.body.len() == lines.len()
            && self.body.iter().zip(lines).all(|(line, wanted)| line == wanted.as_ref())
    }
}

/// The lines of `octets`, the last of which need not end.
fn lines<'a>(octets: &'a [u8], end: &[u8]) -> Vec<&'a [u8]> {
    let mut found = Vec::new();
    let mut from = 0;
    let mut at = 0;
    while at < octets.len() {
        if octets[at..].starts_with(end) {
            found.push(&octets[from..at]);
            at += end.len();
            from = at;
        } else {
            at += 1;
        }
    }
    if from < octets.len() {
        found.push(&octets[from..]);
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_taken_apart_at_the_line_ends_of_its_mailbox() {
        let crlf = Stored::new(b"A: b\r\n c\r\nX: y\nz: w\r\n\r\n.\r\n\r\nend".to_vec());
        assert!(crlf.keeps_crlf);
        assert_eq!(crlf.header.len(), 2);
        assert_eq!(crlf.fields("a").next().unwrap().unfolded(), "b c");
        assert_eq!(crlf.fields("x").next().unwrap().value, "y\nz: w");
        assert!(crlf.body_is(&[".", "", "end"]));
        let lf = Stored::new(b"A: b\rC: d\nX\n\nbody\n".to_vec());
        assert!(!lf.keeps_crlf && lf.body_is(&["body"]));
        assert_eq!((lf.position("c"), lf.header[1].name.as_str()), (None, ""));
    }
}
