//! The arguments of the commands other than MAIL and RCPT (RFC 5321 §4.1.1), as octets of a line
//! behind its verb.

use super::{
    Base64, CommandError, HelloName, Mechanism, Text, command::NEEDS_SMTPUTF8, strip_prefix_no_case,
};
use crate::violation::{SyntaxFault, Violation};

const NOT_UTF8: CommandError = CommandError::known(
    501,
    (5, 4),
    "Argument is not valid UTF-8",
    Violation::Syntax(SyntaxFault::Argument),
);
const SUPERFLUOUS: CommandError = CommandError::known(
    501,
    (5, 4),
    "This command takes no argument",
    Violation::Syntax(SyntaxFault::Argument),
);
const BAD_TEXT: CommandError = CommandError::known(
    501,
    (5, 4),
    "Argument has control characters",
    Violation::Syntax(SyntaxFault::Argument),
);
const BAD_HELLO_NAME: CommandError = CommandError::known(
    501,
    (5, 4),
    "Give one domain name or address literal",
    Violation::Syntax(SyntaxFault::HelloName),
);
const NOBODY: CommandError = CommandError::known(
    501,
    (5, 4),
    "Give a name or an address",
    Violation::Syntax(SyntaxFault::Argument),
);
const BAD_CHUNK: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: BDAT size [LAST]",
    Violation::Syntax(SyntaxFault::Argument),
);
const HUGE_CHUNK: CommandError =
    CommandError::known(552, (3, 4), "Chunk too large", Violation::MessageTooLarge);
const BAD_MECHANISM: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: AUTH mechanism [initial-response]",
    Violation::Syntax(SyntaxFault::Argument),
);
const BAD_INITIAL_RESPONSE: CommandError =
    CommandError::known(501, (5, 2), "Initial response is not base64", Violation::BadAuthResponse);

/// What BDAT says (RFC 3030 §2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Chunk {
    /// Octets that follow the line.
    pub(crate) size: u64,
    /// Whether they end the message.
    pub(crate) last: bool,
}

/// The arguments as text (RFC 5321 §2.4, RFC 6531 §3.3), or 501 5.5.4.
#[inline]
pub(crate) fn utf8_args(args: &[u8]) -> Result<&str, CommandError> {
    core::str::from_utf8(args).map_err(|_| NOT_UTF8)
}

/// Free text, perhaps empty: HELP (RFC 5321 §4.1.1.8) and NOOP (§4.1.1.9).
pub(crate) fn text_args(args: &[u8]) -> Result<Text<'_>, CommandError> {
    Text::parse(utf8_args(args)?).map_err(|_| BAD_TEXT)
}

/// RFC 5321 §4.1.1.4, §4.1.1.5, §4.1.1.10, RFC 3207 §4: DATA, RSET, QUIT and STARTTLS take none.
pub(crate) fn no_args(args: &[u8]) -> Result<(), CommandError> {
    if args.is_empty() { Ok(()) } else { Err(SUPERFLUOUS) }
}

/// RFC 5321 §4.1.1.1: `ehlo = "EHLO" SP ( Domain / address-literal ) CRLF`, `helo = "HELO" SP
/// Domain CRLF`. Deviation: HELO may have an address literal too.
#[inline]
pub(crate) fn hello_args(args: &[u8]) -> Result<HelloName<'_>, CommandError> {
    let name = core::str::from_utf8(args).map_err(|_| BAD_HELLO_NAME)?;
    HelloName::parse(name).map_err(|_| BAD_HELLO_NAME)
}

/// RFC 6531 §3.7.4.2: `vrfy = "VRFY" SP String [ SP "SMTPUTF8" ] CRLF`, and EXPN alike. Gives the
/// string, and whether SMTPUTF8 stood behind it, which a string outside ASCII needs.
pub(crate) fn verify_args(args: &[u8]) -> Result<(Text<'_>, bool), CommandError> {
    let text = utf8_args(args)?.trim_end_matches(' ');
    let (what, smtputf8) = match text.rsplit_once(' ') {
        Some((what, word)) if word.eq_ignore_ascii_case("SMTPUTF8") => {
            (what.trim_end_matches(' '), true)
        }
        // It takes no value (RFC 6531 §3.7.4.2).
        Some((_, word)) if strip_prefix_no_case(word, "SMTPUTF8=").is_some() => {
            return Err(BAD_TEXT);
        }
        _ => (text, false),
    };
    if what.is_empty() {
        return Err(NOBODY);
    }
    if !smtputf8 && !what.is_ascii() {
        return Err(NEEDS_SMTPUTF8);
    }
    Ok((Text::parse(what).map_err(|_| BAD_TEXT)?, smtputf8))
}

/// RFC 3030 §2: `bdat-cmd ::= "BDAT" SP chunk-size [ SP end-marker ] CR LF`, `chunk-size ::=
/// 1*DIGIT`, `end-marker ::= "LAST"`. Deviation: at most 20 digits, as in RFC 1870 §3.
pub(crate) fn bdat_args(args: &[u8]) -> Result<Chunk, CommandError> {
    let text = core::str::from_utf8(args).map_err(|_| BAD_CHUNK)?;
    let digits = text.bytes().take_while(u8::is_ascii_digit).count();
    let (number, rest) = text.split_at(digits);
    let last = match rest.trim_end_matches(' ') {
        "" => false,
        marker => match strip_prefix_no_case(marker.trim_start_matches(' '), "LAST") {
            Some("") if marker.starts_with(' ') => true,
            _ => return Err(BAD_CHUNK),
        },
    };
    if !(1..=20).contains(&number.len()) {
        return Err(BAD_CHUNK);
    }
    // Twenty digits fail to fit in 64 bits for one reason only.
    let size = number.parse().map_err(|_| HUGE_CHUNK)?;
    Ok(Chunk { size, last })
}

/// RFC 4954 §8: `auth-command = "AUTH" SP sasl-mech [SP initial-response] *(CRLF [base64]) [CRLF
/// cancel-response] CRLF`, `initial-response = base64 / "="`. A `=` is an empty response.
pub(crate) fn auth_args(args: &[u8]) -> Result<(Mechanism<'_>, Option<Base64<'_>>), CommandError> {
    let text = core::str::from_utf8(args).map_err(|_| BAD_MECHANISM)?;
    let text = text.trim_end_matches(' ');
    let (name, rest) = text.split_once(' ').unwrap_or((text, ""));
    let mechanism = Mechanism::parse(name).map_err(|_| BAD_MECHANISM)?;
    let initial = match rest.trim_start_matches(' ') {
        "" => None,
        "=" => Some(""),
        response => Some(response),
    };
    let initial = initial.map(Base64::parse).transpose().map_err(|_| BAD_INITIAL_RESPONSE)?;
    Ok((mechanism, initial))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    fn code<T>(result: Result<T, CommandError>) -> alloc::string::String {
        result.err().map_or("none".into(), |e| alloc::format!("{} {}", e.code(), e.enhanced()))
    }

    #[test]
    fn bdat_has_a_size_and_perhaps_last() {
        for (args, size, last) in [
            ("0", 0, false),
            ("86 LAST", 86, true),
            ("5  last ", 5, true),
            ("00000000000000000007", 7, false),
            ("18446744073709551615 LAST", u64::MAX, true),
        ] {
            assert_eq!(bdat_args(args.as_bytes()), Ok(Chunk { size, last }), "{args}");
        }
        for args in [
            "",
            " ",
            "LAST",
            "abc",
            "-1",
            "+1",
            "1x",
            "1LAST",
            "1 LASTX",
            "1 FIRST",
            "1 LAST x",
            "0x10",
            "1,5",
            "1\tLAST",
            "٣",
            "000000000000000000001",
            "999999999999999999999",
        ] {
            assert_eq!(code(bdat_args(args.as_bytes())), "501 5.5.4", "{args:?}");
        }
        assert_eq!(code(bdat_args(b"1\xff")), "501 5.5.4");
        assert_eq!(code(bdat_args(b"99999999999999999999 LAST")), "552 5.3.4");
        assert_eq!(code(bdat_args(b"18446744073709551616")), "552 5.3.4");
    }

    #[test]
    fn auth_has_a_mechanism_and_perhaps_a_response() {
        assert_eq!(auth_args(b"PLAIN"), Ok((Mechanism::PLAIN, None)));
        let (mechanism, initial) = auth_args(b"plain =").unwrap();
        assert_eq!((mechanism, initial.unwrap().as_str()), (Mechanism::PLAIN, ""));
        let (_, initial) = auth_args(b"PLAIN AGEAYg==").unwrap();
        assert_eq!(initial.unwrap().decode(), b"\0a\0b");
        for args in [&b""[..], b"=", b"\xff", b"PL.AIN", b"\tPLAIN"] {
            assert_eq!(code(auth_args(args)), "501 5.5.4");
        }
        for args in [&b"PLAIN !"[..], b"PLAIN =AAA", b"PLAIN AAAA AAAA", b"PLAIN ==", b"PLAIN *"] {
            assert_eq!(code(auth_args(args)), "501 5.5.2");
        }
    }

    #[test]
    fn vrfy_may_end_in_smtputf8() {
        for (args, what, smtputf8) in [
            ("user1", "user1", false),
            ("user1 SMTPUTF8", "user1", true),
            ("John Doe  smtputf8 ", "John Doe", true),
            ("SMTPUTF8", "SMTPUTF8", false),
            ("jürgen SMTPUTF8", "jürgen", true),
        ] {
            let (text, flag) = verify_args(args.as_bytes()).unwrap();
            assert_eq!((text.as_str(), flag), (what, smtputf8));
        }
        for args in [&b""[..], b"  ", b" SMTPUTF8", b"a\x1b", b"\xff", b"a smtputf8=1"] {
            assert_eq!(code(verify_args(args)), "501 5.5.4");
        }
        assert_eq!(code(verify_args("jürgen".as_bytes())), "553 5.6.7");
    }

    #[test]
    fn hello_has_one_name() {
        assert_eq!(hello_args(b"client.example").unwrap().to_string(), "client.example");
        for args in [&b""[..], b"a b", b"a\tb", b"\xff", b"a\x1b[2J", b"%0d%0a"] {
            let error = hello_args(args).unwrap_err();
            assert_eq!(error.to_string(), "501 5.5.4 Give one domain name or address literal");
            assert_eq!(error.violation(), Violation::Syntax(SyntaxFault::HelloName));
        }
    }

    #[test]
    fn other_arguments_are_text_or_nothing() {
        assert_eq!(no_args(b""), Ok(()));
        assert_eq!(code(no_args(b"foo")), "501 5.5.4");
        assert_eq!(text_args(b"anything at all").unwrap().as_str(), "anything at all");
        assert_eq!(code(text_args(b"\xc0\x80")), "501 5.5.4");
        assert_eq!(code(text_args(b"\0")), "501 5.5.4");
    }

    #[test]
    fn every_reply_written_here_is_valid() {
        for error in [
            NOT_UTF8,
            SUPERFLUOUS,
            BAD_TEXT,
            BAD_HELLO_NAME,
            NOBODY,
            BAD_CHUNK,
            HUGE_CHUNK,
            BAD_MECHANISM,
            BAD_INITIAL_RESPONSE,
        ] {
            let reply = error.reply();
            let text = reply.text().to_string();
            assert!(crate::wire::Refused::new(reply.code(), reply.enhanced(), text).is_ok());
        }
    }
}
