//! Which octets the words of the grammar are made of, and the one loop that takes such a word.
//!
//! A word is found octet by octet with a table; only a word with octets over 127 is then looked at
//! character by character.

use super::Parsed;
use nom::{Err, Parser};

/// Octets of an Atom.
pub(super) const ATEXT: u8 = 1;
/// Octets of a quoted string that need no backslash.
pub(super) const QTEXT: u8 = 1 << 1;
/// Octets of a label.
pub(super) const LABEL: u8 = 1 << 2;
/// The underscore, for the labels of hello names.
pub(super) const UNDERSCORE: u8 = 1 << 3;
/// Octets within the brackets of an address literal.
pub(super) const DCONTENT: u8 = 1 << 4;
/// Octets of the keyword of a parameter.
pub(super) const KEYWORD: u8 = 1 << 5;
/// Octets of the value of a parameter.
pub(super) const VALUE: u8 = 1 << 6;

/// The classes of each octet.
static CLASSES: [u8; 256] = {
    let mut classes = [0; 256];
    let mut octet = 0u8;
    loop {
        classes[octet as usize] = classes_of(octet);
        if octet == u8::MAX {
            break classes;
        }
        octet += 1;
    }
};

const fn classes_of(octet: u8) -> u8 {
    let mut classes = 0;
    if is_atext(octet) {
        classes |= ATEXT;
    }
    if is_qtext_smtp(octet) {
        classes |= QTEXT;
    }
    if is_let_dig_hyphen(octet) {
        classes |= LABEL | KEYWORD;
    }
    if octet == b'_' {
        classes |= UNDERSCORE;
    }
    if is_dcontent(octet) {
        classes |= DCONTENT;
    }
    if is_value(octet) {
        classes |= VALUE;
    }
    if !octet.is_ascii() {
        // RFC 6531 §3.3 extends these by characters outside ASCII.
        classes |= ATEXT | QTEXT | LABEL | VALUE;
    }
    classes
}

/// RFC 5322 §3.2.3: `atext = ALPHA / DIGIT / "!" / "#" / "$" / "%" / "&" / "'" / "*" / "+" / "-" /
/// "/" / "=" / "?" / "^" / "_" / "`" / "{" / "|" / "}" / "~"`.
const fn is_atext(octet: u8) -> bool {
    octet.is_ascii_alphanumeric()
        || matches!(
            octet,
            b'!' | b'#'
                | b'$'
                | b'%'
                | b'&'
                | b'\''
                | b'*'
                | b'+'
                | b'-'
                | b'/'
                | b'='
                | b'?'
                | b'^'
                | b'_'
                | b'`'
                | b'{'
                | b'|'
                | b'}'
                | b'~'
        )
}

/// RFC 5321 §4.1.2: `qtextSMTP = %d32-33 / %d35-91 / %d93-126`.
const fn is_qtext_smtp(octet: u8) -> bool {
    matches!(octet, 32..=33 | 35..=91 | 93..=126)
}

/// RFC 5321 §4.1.2: what `Ldh-str` and `esmtp-keyword` are made of, `ALPHA / DIGIT / "-"`.
const fn is_let_dig_hyphen(octet: u8) -> bool {
    octet.is_ascii_alphanumeric() || octet == b'-'
}

/// RFC 5321 §4.1.3: `dcontent = %d33-90 / %d94-126`.
const fn is_dcontent(octet: u8) -> bool {
    matches!(octet, 33..=90 | 94..=126)
}

/// RFC 5321 §4.1.2: what `esmtp-value` is made of, `%d33-60 / %d62-126`.
const fn is_value(octet: u8) -> bool {
    matches!(octet, 33..=60 | 62..=126)
}

/// RFC 6532 §3.1: `UTF8-non-ascii = UTF8-2 / UTF8-3 / UTF8-4`.
///
/// Deviation: no C1 controls (U+0080 to U+009F) and no line or paragraph separator. RFC 5321
/// §4.1.2 keeps controls out of mailboxes, and some readers of logs take these for line ends.
pub(super) fn is_utf8_non_ascii(c: char) -> bool {
    c > '\u{9f}' && !matches!(c, '\u{2028}' | '\u{2029}')
}

/// RFC 6531 §3.3: what a `U-label` may have outside ASCII: no space and no control character, no
/// ideographic full stop (which IDNA takes for a dot), no invisible mark that changes the
/// direction of writing.
///
/// Deviation: it is not checked against IDNA's tables, which whoever looks the name up needs
/// anyway (RFC 6531 §3.2).
fn is_u_label(c: char) -> bool {
    let full_stop = matches!(c, '\u{3002}' | '\u{ff0e}' | '\u{ff61}');
    is_utf8_non_ascii(c) && !c.is_whitespace() && !is_invisible(c) && !full_stop
}

/// Marks without a shape, and those that change the direction of writing.
pub(super) fn is_invisible(c: char) -> bool {
    matches!(
        c,
        '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
            | '\u{feff}'
    )
}

/// Takes the octets of any of `classes`, at least one.
pub(super) fn run<'b>(classes: u8) -> impl Parser<&'b str, Output = &'b str, Error = ()> + Copy {
    move |input: &'b str| take_run(classes, input)
}

fn take_run(classes: u8, input: &str) -> Parsed<'_, &str> {
    let mut any = 0;
    let mut length = 0;
    for &octet in input.as_bytes() {
        if CLASSES[usize::from(octet)] & classes == 0 {
            break;
        }
        any |= octet;
        length += 1;
    }
    // The octets of one character have the same classes unless they are ASCII: this is a boundary.
    let (word, rest) = input.split_at_checked(length).ok_or(Err::Error(()))?;
    if word.is_empty() || !any.is_ascii() && !is_allowed(classes, word) {
        return Err(Err::Error(()));
    }
    Ok((rest, word))
}

/// Whether what is outside ASCII in `word` is allowed there.
#[cold]
fn is_allowed(classes: u8, word: &str) -> bool {
    let is_allowed = if classes & LABEL != 0 { is_u_label } else { is_utf8_non_ascii };
    word.chars().all(|c| c.is_ascii() || is_allowed(c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::String;

    #[test]
    fn the_classes_are_those_of_the_rfc() {
        let members = |class| -> String {
            (0..128u8).filter(|&b| CLASSES[usize::from(b)] & class != 0).map(char::from).collect()
        };
        let graphic: String = ('!'..='~').collect();
        let without = |text: &str| graphic.replace(|c| text.contains(c), "");
        assert_eq!(members(ATEXT), without("\"(),.:;<>@[\\]"));
        assert_eq!(members(QTEXT), String::from(" ") + &without("\"\\"));
        assert_eq!(members(DCONTENT), without("[\\]"));
        assert_eq!(members(VALUE), without("="));
        assert_eq!(members(UNDERSCORE), "_");
        assert_eq!(members(LABEL), members(KEYWORD));
        assert_eq!(members(LABEL).len(), 26 + 26 + 10 + 1);
    }

    #[test]
    fn a_run_ends_before_the_first_other_octet() {
        assert_eq!(run(LABEL).parse("a-b.c"), Ok((".c", "a-b")));
        assert_eq!(run(LABEL | UNDERSCORE).parse("a_b"), Ok(("", "a_b")));
        assert_eq!(run(ATEXT).parse("jürgen@b"), Ok(("@b", "jürgen")));
        assert_eq!(run(KEYWORD).parse("aü"), Ok(("ü", "a")));
        for text in ["", "@", "ü\u{85}"] {
            assert!(run(ATEXT).parse(text).is_err());
        }
    }
}
