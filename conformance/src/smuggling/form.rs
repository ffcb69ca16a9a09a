//! What might be taken for the end of a message, and is none: RFC 5321 §2.3.8 and §4.1.1.4 know one
//! end, CRLF `.` CRLF.

/// The command that hands the message over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verb {
    /// DATA, RFC 5321 §4.1.1.4.
    Data,
    /// BDAT, RFC 3030 §2: then CRLF `.` CRLF is text like any other.
    Bdat,
}

/// A false end of data.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Form {
    /// Its octets in words, a `|` where one chunk ends and another begins.
    pub name: &'static str,
    /// How the message is handed over.
    pub verb: Verb,
    shape: Shape,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Once, in front of what is smuggled: the parts are in chunks of their own.
    Once(&'static [&'static [u8]]),
    /// The same lines over and over, so that every border of a buffer lies in one of them.
    Often(&'static [u8]),
    /// A dot at the end of long lines: a relay that breaks lines may leave it alone on one.
    LongLines,
}

/// Octets of a message that repeats its lines.
const OFTEN: usize = 64 << 10;
/// So many lines in a row, then what is smuggled.
const IN_A_ROW: usize = 8;
/// Lengths at which lines are broken, or buffers end: RFC 5321 §4.5.3.1.6 allows 998 octets.
const LENGTHS: [usize; 24] = [
    509, 510, 511, 512, 988, 989, 990, 991, 996, 997, 998, 999, 1000, 1022, 1023, 1024, 2046, 2047,
    2048, 4094, 4095, 4096, 8191, 8192,
];

/// A message with nothing odd in it.
pub const PLAIN: Form = data("plain", &[b"\r\n"]);

/// All forms.
pub const FORMS: &[Form] = &[
    data("LF.LF", &[b"\n.\n"]),
    data("LF.CRLF", &[b"\n.\r\n"]),
    data("CRLF.LF", &[b"\r\n.\n"]),
    data("CR.CR", &[b"\r.\r"]),
    data("CR.LF", &[b"\r.\n"]),
    data("CR.CRLF", &[b"\r.\r\n"]),
    data("CRLF.CR", &[b"\r\n.\r"]),
    data("LF.CR", &[b"\n.\r"]),
    data("LF..LF", &[b"\n..\n"]),
    data("LF..CRLF", &[b"\n..\r\n"]),
    data("CRLF..LF", &[b"\r\n..\n"]),
    data("CR..CR", &[b"\r..\r"]),
    data("CR..CRLF", &[b"\r..\r\n"]),
    data("CRLF..CR", &[b"\r\n..\r"]),
    data("LF CR.CRLF", &[b"\n\r.\r\n"]),
    data("CRLF.CR CRLF", &[b"\r\n.\r\r\n"]),
    data("CR CRLF.CR CRLF", &[b"\r\r\n.\r\r\n"]),
    data("CRLF NUL.CRLF", &[b"\r\n\0.\r\n"]),
    data("CRLF.NUL CRLF", &[b"\r\n.\0\r\n"]),
    data("CRLF NUL.NUL CRLF", &[b"\r\n\0.\0\r\n"]),
    data("CRLF.NUL.CRLF", &[b"\r\n.\0.\r\n"]),
    data("CRLF.CR NUL LF", &[b"\r\n.\r\0\n"]),
    data("CR NUL LF.CRLF", &[b"\r\0\n.\r\n"]),
    data("NUL LF.LF", &[b"\0\n.\n"]),
    data("CRLF.SP CRLF", &[b"\r\n. \r\n"]),
    data("CRLF.TAB CRLF", &[b"\r\n.\t\r\n"]),
    data("CRLF..CRLF", &[b"\r\n..\r\n"]),
    data("VT.VT", &[b"\x0b.\x0b"]),
    data("FF.FF", &[b"\x0c.\x0c"]),
    data("85.85", &[b"\x85.\x85"]),
    // NEL and LINE SEPARATOR in UTF-8.
    data("NEL.NEL", &[b"\xc2\x85.\xc2\x85"]),
    data("LS.LS", &[b"\xe2\x80\xa8.\xe2\x80\xa8"]),
    Form { name: "CRLF..CRLF often", verb: Verb::Data, shape: Shape::Often(b"..\r\n") },
    Form { name: "long lines.CRLF", verb: Verb::Data, shape: Shape::LongLines },
    bdat("BDAT CRLF.CRLF", &[b"\r\n.\r\n"]),
    bdat("BDAT CRLF|.CRLF", &[b"\r\n", b".\r\n"]),
    bdat("BDAT CR|LF.CRLF", &[b"\r", b"\n.\r\n"]),
    bdat("BDAT CRLF.|CRLF", &[b"\r\n.", b"\r\n"]),
    bdat("BDAT CRLF.CR|LF", &[b"\r\n.\r", b"\n"]),
    bdat("BDAT CRLF.CRLF|", &[b"\r\n.\r\n", b""]),
    bdat("BDAT LF.LF", &[b"\n.\n"]),
    bdat("BDAT LF|.|LF", &[b"\n", b".", b"\n"]),
    bdat("BDAT LF.CRLF", &[b"\n.\r\n"]),
    bdat("BDAT CRLF.LF", &[b"\r\n.\n"]),
    bdat("BDAT CR.CR", &[b"\r.\r"]),
    bdat("BDAT CR.CRLF", &[b"\r.\r\n"]),
    bdat("BDAT CRLF.CR", &[b"\r\n.\r"]),
    bdat("BDAT CRLF NUL.CRLF", &[b"\r\n\0.\r\n"]),
    Form { name: "BDAT CRLF.CRLF often", verb: Verb::Bdat, shape: Shape::Often(b".\r\n") },
];

const fn data(name: &'static str, parts: &'static [&'static [u8]]) -> Form {
    Form { name, verb: Verb::Data, shape: Shape::Once(parts) }
}

const fn bdat(name: &'static str, parts: &'static [&'static [u8]]) -> Form {
    Form { name, verb: Verb::Bdat, shape: Shape::Once(parts) }
}

impl Form {
    /// There are many false ends in the text, not one.
    pub fn is_repeated(&self) -> bool {
        !matches!(self.shape, Shape::Once(_))
    }

    /// The text with `smuggled` behind each false end, in the chunks of BDAT. DATA has one.
    pub fn chunks(&self, smuggled: &[u8]) -> Vec<Vec<u8>> {
        match self.shape {
            Shape::Once(parts) => {
                let mut chunks: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
                if let Some(last) = chunks.last_mut() {
                    last.extend_from_slice(smuggled);
                }
                chunks
            }
            Shape::Often(line) => {
                let mut text = b"\r\n".to_vec();
                while text.len() < OFTEN {
                    text.extend_from_slice(&line.repeat(IN_A_ROW));
                    text.extend_from_slice(smuggled);
                }
                vec![text]
            }
            Shape::LongLines => {
                let mut text = b"\r\n".to_vec();
                for length in LENGTHS {
                    text.resize(text.len() + length, b'x');
                    text.extend_from_slice(b".\r\n");
                    text.extend_from_slice(smuggled);
                }
                vec![text]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    #[test]
    fn no_form_by_data_holds_a_true_end() {
        for form in FORMS.iter().filter(|form| form.verb == Verb::Data) {
            let text = form.chunks(b"MAIL\r\n").concat();
            let end = b"\r\n.\r\n";
            assert!(!text.windows(end.len()).any(|window| window == end), "{}", form.name);
        }
    }

    #[test]
    fn every_form_has_a_name_of_its_own_and_what_is_smuggled() {
        let names: BTreeSet<_> = FORMS.iter().map(|form| form.name).collect();
        assert_eq!(names.len(), FORMS.len());
        for form in FORMS {
            let chunks = form.chunks(b"smuggled");
            assert!(chunks.concat().ends_with(b"smuggled"), "{}", form.name);
            assert_eq!(chunks.len(), form.name.matches('|').count() + 1, "{}", form.name);
        }
    }
}
