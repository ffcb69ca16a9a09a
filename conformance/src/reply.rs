//! The suite's own reader of replies. It shares no code with what it judges, and takes whatever
//! comes: what is wrong with a reply is a finding, never an error.

/// One reply, with everything that is odd about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    /// The code of the last line; 0 if that has none.
    pub code: u16,
    /// The lines as they came, without their line ends.
    pub lines: Vec<Vec<u8>>,
    /// What RFC 5321 §4.2 does not allow in it.
    pub defects: Vec<Defect>,
}

/// Something that a reply must not have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Defect {
    /// A line ends in LF without CR (§2.3.8).
    BareLf,
    /// A CR inside a line (§2.3.8).
    BareCr,
    /// A NUL (§4.2).
    Nul,
    /// An octet of 128 or more (§4.2: textstring is ASCII).
    EightBit,
    /// A control character other than tab.
    Control,
    /// A line has no three digits in front (§4.2).
    NoCode,
    /// The first digit is not 2 to 5 (§4.2.1).
    CodeRange(u16),
    /// Lines with different codes (§4.2.1).
    MixedCodes,
    /// Behind the code stands neither space nor hyphen (§4.2).
    Separator,
    /// A line of this many octets, CRLF included; 512 are allowed (§4.5.3.1.5).
    LongLine(usize),
}

impl std::fmt::Display for Defect {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::BareLf => f.write_str("a line ends in LF alone"),
            Self::BareCr => f.write_str("a bare CR in a line"),
            Self::Nul => f.write_str("a NUL"),
            Self::EightBit => f.write_str("an octet outside ASCII"),
            Self::Control => f.write_str("a control character"),
            Self::NoCode => f.write_str("a line without a code of three digits"),
            Self::CodeRange(code) => write!(f, "the code {code}"),
            Self::MixedCodes => f.write_str("lines with different codes"),
            Self::Separator => f.write_str("neither space nor hyphen behind the code"),
            Self::LongLine(n) => write!(f, "a line of {n} octets"),
        }
    }
}

impl Reply {
    /// The text of line `n`, without code and separator; empty if there is none.
    pub fn text(&self, n: usize) -> String {
        let line = self.lines.get(n).map_or(&[][..], Vec::as_slice);
        String::from_utf8_lossy(line.get(4..).unwrap_or_default()).into_owned()
    }

    /// The texts of all lines.
    pub fn texts(&self) -> impl Iterator<Item = String> {
        (0..self.lines.len()).map(|n| self.text(n))
    }

    /// The enhanced status code in front of the text of line `n` (RFC 2034 §3).
    pub fn enhanced(&self, n: usize) -> Option<[u16; 3]> {
        let text = self.text(n);
        let word = text.split(' ').next()?;
        let mut parts = word.split('.');
        let mut part = || {
            let digits = parts.next().filter(|p| (1..=3).contains(&p.len()))?;
            digits.bytes().all(|b| b.is_ascii_digit()).then(|| digits.parse().ok())?
        };
        let code = [part()?, part()?, part()?];
        (parts.next().is_none() && matches!(code[0], 2 | 4 | 5)).then_some(code)
    }
}

/// Takes the first whole reply from the front of `octets`; gives how many octets it took.
pub fn take_reply(octets: &[u8]) -> Option<(Reply, usize)> {
    let mut reply = Reply { code: 0, lines: Vec::new(), defects: Vec::new() };
    let mut first = None;
    let mut at = 0;
    loop {
        let end = at + octets[at..].iter().position(|&b| b == b'\n')?;
        let raw = &octets[at..end];
        let line = raw.strip_suffix(b"\r").unwrap_or(raw);
        let size = end + 1 - at;
        at = end + 1;
        let mut note = |defect| {
            if !reply.defects.contains(&defect) {
                reply.defects.push(defect);
            }
        };
        if line.len() == raw.len() {
            note(Defect::BareLf);
        }
        if size > 512 {
            note(Defect::LongLine(size));
        }
        for octet in line {
            match octet {
                b'\r' => note(Defect::BareCr),
                0 => note(Defect::Nul),
                0x80.. => note(Defect::EightBit),
                b'\t' => {}
                ..0x20 | 0x7f => note(Defect::Control),
                _ => {}
            }
        }
        let code = line
            .get(..3)
            .filter(|c| c.iter().all(u8::is_ascii_digit))
            .map(|c| c.iter().fold(0, |code, digit| code * 10 + u16::from(digit - b'0')));
        match code {
            None => note(Defect::NoCode),
            Some(code) if !(200..600).contains(&code) => note(Defect::CodeRange(code)),
            Some(_) => {}
        }
        if code.is_some() && !matches!(line.get(3), None | Some(b' ' | b'-')) {
            note(Defect::Separator);
        }
        if *first.get_or_insert(code) != code {
            note(Defect::MixedCodes);
        }
        let more = code.is_some() && line.get(3) == Some(&b'-');
        reply.code = code.unwrap_or(0);
        reply.lines.push(line.to_vec());
        if !more {
            return Some((reply, at));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_at_its_last_line() {
        assert_eq!(take_reply(b"250-a\r\n250"), None);
        assert_eq!(take_reply(b"250-a\r\n"), None);
        let (reply, n) = take_reply(b"250-a\r\n250 2.0.0 b\r\n221 x\r\n").unwrap();
        assert_eq!((reply.code, n, reply.defects.len()), (250, 20, 0));
        assert_eq!(reply.enhanced(1), Some([2, 0, 0]));
        assert_eq!((reply.enhanced(0), reply.text(1).as_str()), (None, "2.0.0 b"));
    }

    #[test]
    fn what_is_wrong_is_noted_and_does_not_stop_the_reader() {
        let cases: [(&[u8], Defect); 9] = [
            (b"250 a\n", Defect::BareLf),
            (b"250 a\rb\r\n", Defect::BareCr),
            (b"250 \0\r\n", Defect::Nul),
            (b"250 \xe9\r\n", Defect::EightBit),
            (b"250 \x1b[2J\r\n", Defect::Control),
            (b"hello\r\n", Defect::NoCode),
            (b"650 a\r\n", Defect::CodeRange(650)),
            (b"250-a\r\n251 b\r\n", Defect::MixedCodes),
            (b"2500 a\r\n", Defect::Separator),
        ];
        for (octets, defect) in cases {
            let (reply, n) = take_reply(octets).unwrap();
            assert_eq!((reply.defects, n), (vec![defect], octets.len()));
        }
        let long = [b"250 ", &[b'x'; 507][..], b"\r\n"].concat();
        assert_eq!(take_reply(&long).unwrap().0.defects, [Defect::LongLine(513)]);
    }
}
