//! The verb of a command line (RFC 5321 §4.1.1), and how a line falls into verb and arguments.

use super::into_static;
use alloc::borrow::Cow;

/// How the peer greeted (RFC 5321 §4.1.1.1, RFC 2033 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hello {
    /// HELO: no extensions.
    Helo,
    /// EHLO.
    Ehlo,
    /// LHLO: LMTP.
    Lhlo,
}

impl Hello {
    /// The verb.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Helo => "HELO",
            Self::Ehlo => "EHLO",
            Self::Lhlo => "LHLO",
        }
    }
}

/// The verb of a command line.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Verb<'b> {
    /// EHLO, HELO or LHLO.
    Hello(Hello),
    /// MAIL
    Mail,
    /// RCPT
    Rcpt,
    /// DATA
    Data,
    /// BDAT (RFC 3030)
    Bdat,
    /// RSET
    Rset,
    /// NOOP
    Noop,
    /// QUIT
    Quit,
    /// VRFY
    Vrfy,
    /// EXPN
    Expn,
    /// HELP
    Help,
    /// STARTTLS (RFC 3207)
    StartTls,
    /// AUTH (RFC 4954)
    Auth,
    /// ETRN (RFC 1985)
    Etrn,
    /// XCLIENT (Postfix)
    Xclient,
    /// A verb of another protocol (GET, POST, CONNECT …).
    Foreign,
    /// Anything else, as it was written; empty if it is not all graphic ASCII.
    Other(Cow<'b, str>),
}

impl<'b> Verb<'b> {
    /// The verb in upper case; as it was written for [`Verb::Other`], empty for [`Verb::Foreign`].
    pub fn as_str(&self) -> &str {
        match self {
            Self::Hello(hello) => hello.as_str(),
            Self::Mail => "MAIL",
            Self::Rcpt => "RCPT",
            Self::Data => "DATA",
            Self::Bdat => "BDAT",
            Self::Rset => "RSET",
            Self::Noop => "NOOP",
            Self::Quit => "QUIT",
            Self::Vrfy => "VRFY",
            Self::Expn => "EXPN",
            Self::Help => "HELP",
            Self::StartTls => "STARTTLS",
            Self::Auth => "AUTH",
            Self::Etrn => "ETRN",
            Self::Xclient => "XCLIENT",
            Self::Foreign => "",
            Self::Other(verb) => verb,
        }
    }

    /// The same verb, owned.
    pub fn into_static(self) -> Verb<'static> {
        match self {
            Self::Hello(hello) => Verb::Hello(hello),
            Self::Mail => Verb::Mail,
            Self::Rcpt => Verb::Rcpt,
            Self::Data => Verb::Data,
            Self::Bdat => Verb::Bdat,
            Self::Rset => Verb::Rset,
            Self::Noop => Verb::Noop,
            Self::Quit => Verb::Quit,
            Self::Vrfy => Verb::Vrfy,
            Self::Expn => Verb::Expn,
            Self::Help => Verb::Help,
            Self::StartTls => Verb::StartTls,
            Self::Auth => Verb::Auth,
            Self::Etrn => Verb::Etrn,
            Self::Xclient => Verb::Xclient,
            Self::Foreign => Verb::Foreign,
            Self::Other(verb) => Verb::Other(into_static(verb)),
        }
    }

    /// RFC 5321 §2.4: verbs are compared without case.
    #[inline]
    fn of(word: &'b [u8]) -> Self {
        // Without the bit that tells the cases of letters apart; no other octet becomes a letter.
        let front = word.first_chunk().map_or([0; 4], |front: &[u8; 4]| front.map(|b| b & !0x20));
        if word.len() == 4 {
            match &front {
                b"EHLO" => return Self::Hello(Hello::Ehlo),
                b"HELO" => return Self::Hello(Hello::Helo),
                b"LHLO" => return Self::Hello(Hello::Lhlo),
                b"MAIL" => return Self::Mail,
                b"RCPT" => return Self::Rcpt,
                b"DATA" => return Self::Data,
                b"BDAT" => return Self::Bdat,
                b"RSET" => return Self::Rset,
                b"NOOP" => return Self::Noop,
                b"QUIT" => return Self::Quit,
                b"VRFY" => return Self::Vrfy,
                b"EXPN" => return Self::Expn,
                b"HELP" => return Self::Help,
                b"AUTH" => return Self::Auth,
                b"ETRN" => return Self::Etrn,
                _ => {}
            }
        }
        if front == *b"STAR" && word.eq_ignore_ascii_case(b"STARTTLS") {
            return Self::StartTls;
        }
        if front == *b"XCLI" && word.eq_ignore_ascii_case(b"XCLIENT") {
            return Self::Xclient;
        }
        if is_foreign(word) {
            return Self::Foreign;
        }
        let graphic = word.iter().all(u8::is_ascii_graphic);
        Self::Other(Cow::Borrowed(match core::str::from_utf8(word) {
            Ok(word) if graphic => word,
            _ => "",
        }))
    }
}

/// The methods of HTTP (RFC 9110 §9, RFC 5789; PRI: RFC 9113 §3.4) and the greeting of SSH (RFC
/// 4253 §4.2), with which browsers are made to speak to mail servers and scanners knock.
fn is_foreign(word: &[u8]) -> bool {
    matches!(
        word,
        b"GET"
            | b"HEAD"
            | b"POST"
            | b"PUT"
            | b"DELETE"
            | b"CONNECT"
            | b"OPTIONS"
            | b"TRACE"
            | b"PATCH"
            | b"PRI"
    ) || word.starts_with(b"SSH-")
}

/// Splits a line into its verb and what follows the space behind it.
///
/// RFC 5321 §4.1.1: the verb ends at the first space or at the end of the line. Only a space: a
/// tab makes it an unknown verb. Deviation: several spaces are taken for one; spaces and tabs at
/// the end are dropped (§4.1.1 says SHOULD tolerate).
#[inline]
pub(crate) fn split_verb(line: &[u8]) -> (Verb<'_>, &[u8]) {
    let mut line = line;
    while let [front @ .., b' ' | b'\t'] = line {
        line = front;
    }
    let end = line.iter().position(|&b| b == b' ').unwrap_or(line.len());
    let (word, mut args) = line.split_at(end);
    while let [b' ', rest @ ..] = args {
        args = rest;
    }
    (Verb::of(word), args)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verb_is_known_in_any_case() {
        for verb in [
            "EHLO", "HELO", "LHLO", "MAIL", "RCPT", "DATA", "BDAT", "RSET", "NOOP", "QUIT", "VRFY",
            "EXPN", "HELP", "STARTTLS", "AUTH", "ETRN", "XCLIENT",
        ] {
            for text in [verb.to_ascii_lowercase(), verb.into()] {
                let (known, args) = split_verb(text.as_bytes());
                assert!(!matches!(known, Verb::Other(_)), "{text}");
                assert_eq!((known.as_str(), args), (verb, &b""[..]));
            }
        }
    }

    #[test]
    fn a_line_falls_into_verb_and_arguments() {
        for (line, verb, args) in [
            (&b"MAIL FROM:<a@b> SIZE=1"[..], Verb::Mail, &b"FROM:<a@b> SIZE=1"[..]),
            (b"NOOP  ", Verb::Noop, b""),
            (b"NOOP \t ", Verb::Noop, b""),
            (b"RSET  x y\t", Verb::Rset, b"x y"),
            (b"XYZZY a", Verb::Other("XYZZY".into()), b"a"),
            (b"NOOPX", Verb::Other("NOOPX".into()), b""),
            (b"MAILFROM:<a@b>", Verb::Other("MAILFROM:<a@b>".into()), b""),
            (b"STARTTLSX", Verb::Other("STARTTLSX".into()), b""),
            (b"EHLO\tx", Verb::Other("".into()), b""),
            (b" MAIL FROM:<>", Verb::Other("".into()), b"MAIL FROM:<>"),
            (b"", Verb::Other("".into()), b""),
            (b"\x16\x03\x01", Verb::Other("".into()), b""),
            (b"\xff\xfe x", Verb::Other("".into()), b"x"),
            ("ÄUTH x".as_bytes(), Verb::Other("".into()), b"x"),
            (b"GET / HTTP/1.1", Verb::Foreign, b"/ HTTP/1.1"),
            (b"SSH-2.0-x", Verb::Foreign, b""),
        ] {
            assert_eq!(split_verb(line), (verb, args));
        }
    }
}
