//! The header and the body of a message whose octets come in pieces.

/// Takes from each piece what is wanted.
#[derive(Debug)]
pub(super) struct Section {
    headers: bool,
    body: bool,
    /// Octets of the end of the header (RFC 5322 §2.1) that the last ones were.
    seen: usize,
}

/// A line end, and an empty line.
const END: &[u8; 4] = b"\r\n\r\n";

impl Section {
    /// `headers`: all up to the empty line, that included; `body`: all behind it.
    pub(super) fn new(headers: bool, body: bool) -> Self {
        Self { headers, body, seen: 0 }
    }

    /// What is wanted of the next piece, and whether more may be.
    pub(super) fn next<'o>(&mut self, octets: &'o [u8]) -> (&'o [u8], bool) {
        let mut header = 0;
        while self.seen < END.len()
            && let Some(octet) = octets.get(header)
        {
            header += 1;
            self.seen = match octet {
                octet if *octet == END[self.seen] => self.seen + 1,
                b'\r' => 1,
                _ => 0,
            };
        }
        let (header, body) = octets.split_at(header);
        let part = match (self.headers, self.body) {
            (true, true) => octets,
            (true, false) => header,
            (false, true) => body,
            (false, false) => &[],
        };
        (part, self.body || (self.headers && self.seen < END.len()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn part(headers: bool, body: bool, length: usize) -> String {
        let octets = b"A: b\r\n\r\r\nC: d\r\n\r\nbody\r\n\r\nend";
        let mut section = Section::new(headers, body);
        let mut all = Vec::new();
        for piece in octets.chunks(length) {
            let (part, more) = section.next(piece);
            all.extend_from_slice(part);
            if !more {
                break;
            }
        }
        String::from_utf8(all).unwrap()
    }

    #[test]
    fn header_and_body_are_found_in_pieces_of_any_length() {
        let (header, body) = ("A: b\r\n\r\r\nC: d\r\n\r\n", "body\r\n\r\nend");
        for length in 1..40 {
            assert_eq!(part(true, false, length), header, "{length}");
            assert_eq!(part(false, true, length), body, "{length}");
            assert_eq!(part(true, true, length), format!("{header}{body}"), "{length}");
        }
    }
}
