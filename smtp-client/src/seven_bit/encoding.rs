//! Content-Transfer-Encodings that make octets printable (RFC 2045 §6.7, §6.8).

use data_encoding::BASE64_MIME;

/// The longest line, octets without CRLF.
const LINE: usize = 76;

const CRLF: &[u8] = b"\r\n";

/// A Content-Transfer-Encoding of octets that are not ASCII.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Encoding {
    QuotedPrintable,
    Base64,
}

impl Encoding {
    /// The shorter one for text, so that what is mostly ASCII stays readable; base64 for all else,
    /// which has no lines to be kept.
    pub(super) fn of(is_text: bool, octets: &[u8]) -> Self {
        let quoted = octets.iter().filter(|octet| !is_plain(**octet)).count();
        // Three octets for one, against four for three and the line ends.
        match is_text && quoted <= octets.len() / 5 {
            true => Self::QuotedPrintable,
            false => Self::Base64,
        }
    }

    /// What the header field says.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::QuotedPrintable => "quoted-printable",
            Self::Base64 => "base64",
        }
    }

    /// Writes `octets` encoded. Behind them is a line end if there was one.
    pub(super) fn write(self, octets: &[u8], out: &mut Vec<u8>) {
        match self {
            Self::QuotedPrintable => quoted_printable(octets, out),
            Self::Base64 => {
                let encoded = BASE64_MIME.encode(octets);
                let ends = octets.ends_with(CRLF);
                let encoded = if ends { &encoded } else { encoded.trim_ascii_end() };
                out.extend_from_slice(encoded.as_bytes());
            }
        }
    }
}

/// What may stand for itself inside a line, and line ends.
fn is_plain(octet: u8) -> bool {
    matches!(octet, b' '..=b'<' | b'>'..=b'~' | b'\t' | b'\r' | b'\n')
}

/// Quoted-printable (RFC 2045 §6.7): CRLF stays a line end.
///
/// What a mail system might take for something else at the start of a line is encoded, too: a dot
/// and `From ` (RFC 2049 §3), and a hyphen, lest a line become the boundary of a multipart that
/// the text is a part of.
fn quoted_printable(octets: &[u8], out: &mut Vec<u8>) {
    let mut column = 0;
    let mut rest = octets;
    while let Some((&octet, behind)) = rest.split_first() {
        if let Some(behind) = rest.strip_prefix(CRLF) {
            out.extend_from_slice(CRLF);
            (column, rest) = (0, behind);
            continue;
        }
        let ends_line = behind.is_empty() || behind.starts_with(CRLF);
        // The last column is for the `=` of a soft line break.
        let room = if ends_line { LINE } else { LINE - 1 };
        let mut width = if is_literal(octet, rest, column, ends_line) { 1 } else { 3 };
        if column + width > room {
            out.extend_from_slice(b"=\r\n");
            column = 0;
            width = if is_literal(octet, rest, column, ends_line) { 1 } else { 3 };
        }
        match width {
            1 => out.push(octet),
            _ => {
                let hex = |digit: u8| b"0123456789ABCDEF"[usize::from(digit)];
                out.extend_from_slice(&[b'=', hex(octet >> 4), hex(octet & 15)]);
            }
        }
        column += width;
        rest = behind;
    }
}

/// Whether `octet`, at the front of `rest`, stands for itself at `column`.
fn is_literal(octet: u8, rest: &[u8], column: usize, ends_line: bool) -> bool {
    match octet {
        b'\r' | b'\n' => false,
        b' ' | b'\t' => !ends_line,
        b'.' | b'-' => column > 0,
        b'F' => column > 0 || !rest.starts_with(b"From "),
        octet => is_plain(octet),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quoted(octets: &[u8]) -> String {
        let mut out = Vec::new();
        Encoding::QuotedPrintable.write(octets, &mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn what_is_not_printable_is_quoted_and_line_ends_stay() {
        for (octets, want) in [
            (&b""[..], ""),
            (b"a=b\xfc\r\n", "a=3Db=FC\r\n"),
            (b"space \r\ntab\t\r\n a\tb ", "space=20\r\ntab=09\r\n a\tb=20"),
            (b"\0\x7f\r\n\r\n", "=00=7F\r\n\r\n"),
            (b"a\rb\nc\r", "a=0Db=0Ac=0D"),
            (b"--b\r\n.\r\nFrom x\r\nFrom\r\n", "=2D-b\r\n=2E\r\n=46rom x\r\nFrom\r\n"),
        ] {
            assert_eq!(quoted(octets), want);
        }
    }

    #[test]
    fn a_line_has_at_most_76_octets_and_no_soft_break_it_does_not_need() {
        let a = "a".repeat(75);
        assert_eq!(quoted(format!("{a}b").as_bytes()), format!("{a}b"));
        assert_eq!(quoted(format!("{a}b\r\n").as_bytes()), format!("{a}b\r\n"));
        assert_eq!(quoted(format!("{a}bc").as_bytes()), format!("{a}=\r\nbc"));
        assert_eq!(quoted(format!("{a}--x").as_bytes()), format!("{a}=\r\n=2D-x"));
        assert_eq!(quoted(format!("{a} \r\n").as_bytes()), format!("{a}=\r\n=20\r\n"));
        let b = &a[..73];
        assert_eq!(quoted(format!("{b}\u{fc}").as_bytes()), format!("{b}=\r\n=C3=BC"));
        assert_eq!(quoted(format!("{}\u{fc}", &a[..70]).as_bytes()), format!("{}=C3=BC", &a[..70]));
    }

    #[test]
    fn base64_ends_as_the_octets_do() {
        for (octets, want) in
            [(&b"\xfc"[..], "/A=="), (b"\xfc\r\n", "/A0K\r\n"), (&[0; 58], &*two_lines())]
        {
            let mut out = Vec::new();
            Encoding::Base64.write(octets, &mut out);
            assert_eq!(String::from_utf8(out).unwrap(), want);
        }
    }

    fn two_lines() -> String {
        format!("{}\r\nAA==", "A".repeat(76))
    }
}
