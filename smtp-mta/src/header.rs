//! The header of a message that is arriving (RFC 5322 §2.1), as far as a server must know it.

use smtp_proto::{EnhancedCode, wire::Refused};

/// Octets of a header that are looked at; what is longer is passed on unread.
pub const LIMIT: usize = 128 << 10;

/// `Received` fields at which a message is taken to go round in circles. RFC 5321 §6.3 would have a
/// hundred; like other servers we stop earlier, as no true way is half as long.
pub const MAX_HOPS: usize = 50;

/// A header, held until it is whole.
#[derive(Debug, Default)]
pub struct Header {
    octets: Vec<u8>,
    too_long: bool,
}

impl Header {
    /// Takes a piece of the message. Once the header is whole, or longer than [`LIMIT`], gives what
    /// of the piece lies behind it.
    pub fn take<'p>(&mut self, piece: &'p [u8]) -> Option<&'p [u8]> {
        let before = self.octets.len();
        self.octets.extend_from_slice(piece);
        let from = before.saturating_sub(3);
        let end = match self.octets.starts_with(b"\r\n") {
            true => Some(2),
            false => find(&self.octets[from..], b"\r\n\r\n").map(|at| from + at + 4),
        };
        let end = match end {
            Some(end) if end <= LIMIT => end,
            _ if self.octets.len() >= LIMIT => {
                self.too_long = true;
                LIMIT
            }
            _ => return None,
        };
        self.octets.truncate(end);
        Some(&piece[end - before..])
    }

    /// Its octets, the empty line behind it included if there is one.
    pub fn octets(&self) -> &[u8] {
        &self.octets
    }

    /// There is more of it than these octets.
    pub fn is_too_long(&self) -> bool {
        self.too_long
    }

    /// The message begins with a field, or has nothing but an empty line at its beginning. If it
    /// does not, it has no header.
    pub fn is_one(&self) -> bool {
        let end = find(&self.octets, b"\r\n").unwrap_or(self.octets.len());
        end == 0 || field(&self.octets[..end]).is_some()
    }

    /// Name and body of each field, the body with its folding. Lines that belong to no field are
    /// passed over: others may take what follows them for a part of the header.
    pub fn fields(&self) -> impl Iterator<Item = (&[u8], &[u8])> {
        let mut rest = self.octets.as_slice();
        std::iter::from_fn(move || {
            while !rest.is_empty() {
                let mut end = 0;
                loop {
                    end += find(&rest[end..], b"\r\n").map_or(rest.len() - end, |at| at + 2);
                    if !matches!(rest.get(end), Some(b' ' | b'\t')) {
                        break;
                    }
                }
                let (line, after) = rest.split_at(end);
                rest = after;
                if let Some(field) = field(line) {
                    return Some(field);
                }
            }
            None
        })
    }

    /// The bodies of all fields of this name.
    pub fn all(&self, name: &'static str) -> impl Iterator<Item = &[u8]> {
        let named = move |field: &(&[u8], &[u8])| field.0.eq_ignore_ascii_case(name.as_bytes());
        self.fields().filter(named).map(|(_, body)| body)
    }
}

/// Whether the message has been through [`MAX_HOPS`] servers.
pub fn loops(header: &Header) -> bool {
    header.all("Received").nth(MAX_HOPS - 1).is_some()
}

/// 554 5.4.6 (RFC 3463 §3.5): it goes round in circles.
pub fn too_many_hops() -> Refused<'static> {
    let reply = Refused::new(554, EnhancedCode::permanent(4, 6), "Too many hops, a mail loop");
    reply.unwrap_or(Refused::CONTENT)
}

/// 554 5.6.0: a message that other servers would not take (RFC 5321 §4.1.1.4).
pub fn has_nul() -> Refused<'static> {
    let reply = Refused::new(554, EnhancedCode::permanent(6, 0), "The message has a NUL");
    reply.unwrap_or(Refused::CONTENT)
}

/// RFC 5322 §2.2, §4.5: a name of printable characters, perhaps blank space, and a colon.
fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let colon = line.iter().position(|octet| *octet == b':')?;
    let (name, body) = (line[..colon].trim_ascii_end(), &line[colon + 1..]);
    let is_name = !name.is_empty() && name.iter().all(u8::is_ascii_graphic);
    is_name.then_some((name, body))
}

fn find(octets: &[u8], what: &[u8]) -> Option<usize> {
    octets.windows(what.len()).position(|window| window == what)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The header and what is left, cut in two at `cut`.
    fn cut(message: &[u8], cut: usize) -> (Header, Option<Vec<u8>>) {
        let mut header = Header::default();
        let (one, two) = message.split_at(cut);
        let rest = match header.take(one) {
            Some(rest) => Some([rest, two].concat()),
            None => header.take(two).map(<[u8]>::to_vec),
        };
        (header, rest)
    }

    #[test]
    fn a_header_ends_with_its_empty_line_however_it_is_cut() {
        for (message, header, body) in [
            ("A: b\r\n\r\nbody\r\n\r\n", "A: b\r\n\r\n", Some("body\r\n\r\n")),
            ("\r\nA: b\r\n\r\n", "\r\n", Some("A: b\r\n\r\n")),
            ("A: b\r\n\r\n", "A: b\r\n\r\n", Some("")),
            ("A: b\r\n", "A: b\r\n", None),
            ("", "", None),
        ] {
            for at in 0..=message.len() {
                let (found, rest) = cut(message.as_bytes(), at);
                assert_eq!(found.octets(), header.as_bytes(), "{message:?} {at}");
                assert_eq!(rest.as_deref(), body.map(str::as_bytes), "{message:?} {at}");
                assert!(!found.is_too_long());
            }
        }
    }

    #[test]
    fn what_is_too_long_is_passed_on_in_order() {
        let message = [&b"A: "[..], &vec![b'x'; LIMIT], b"\r\n\r\nbody"].concat();
        for at in [0, 1, LIMIT - 1, LIMIT, LIMIT + 1, message.len()] {
            let (header, rest) = cut(&message, at);
            assert!(header.is_too_long());
            assert_eq!(header.octets().len(), LIMIT);
            assert!([header.octets(), &rest.unwrap()].concat() == message, "{at}");
        }
    }

    fn header(text: &str) -> Header {
        let mut header = Header::default();
        header.take(text.as_bytes());
        header
    }

    #[test]
    fn fields_are_found_with_their_folding_and_between_what_are_none() {
        let header = header("A: 1\r\n 2\r\nnone\r\n\tof it\r\nb :3\r\n: 4\r\nÄ: 5\r\nA:\r\n\r\n");
        let fields: Vec<_> = header
            .fields()
            .map(|(name, body)| (String::from_utf8_lossy(name), String::from_utf8_lossy(body)))
            .collect();
        assert_eq!(
            fields,
            [
                ("A".into(), " 1\r\n 2\r\n".into()),
                ("b".into(), "3\r\n".into()),
                ("A".into(), "\r\n".into()),
            ]
        );
        assert_eq!(header.all("B").count(), 1);
    }

    #[test]
    fn a_message_may_have_no_header() {
        for (text, is_one) in [
            ("A: b\r\n\r\n", true),
            ("\r\ntext", true),
            ("", true),
            ("text\r\n", false),
            ("a b: c\r\n", false),
        ] {
            assert_eq!(header(text).is_one(), is_one, "{text:?}");
        }
    }

    #[test]
    fn fifty_hops_are_too_many() {
        let hops =
            |n| header(&("received: x\r\n\ty\r\n".repeat(n) + "Subject: Received: x\r\n\r\n"));
        assert!(!loops(&hops(49)));
        assert!(loops(&hops(50)));
        let reply = too_many_hops();
        assert_eq!((reply.code(), reply.enhanced()), (554, EnhancedCode::permanent(4, 6)));
    }
}
