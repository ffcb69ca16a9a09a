//! Which octets the words of the grammar are made of, and the one loop that takes such a word.
//!
//! A word is found octet by octet with a table; only where an octet over 127 is met, it is looked at
//! character by character.

use super::Parsed;
use nom::{Err, Parser};

/// What a grammar function gives where its rule does not match.
pub(super) const NO_MATCH: Err<()> = Err::Error(());

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
#[inline]
pub(super) fn run<'b>(classes: u8) -> impl Parser<&'b str, Output = &'b str, Error = ()> + Copy {
    move |input: &'b str| take_run(classes, input)
}

#[inline]
fn take_run(classes: u8, input: &str) -> Parsed<'_, &str> {
    match split_run(classes, input) {
        Some((word, rest)) if !word.is_empty() => Ok((rest, word)),
        _ => Err(NO_MATCH),
    }
}

/// Takes words of `classes` with a dot between each two; `is_word` judges those words.
///
/// A dot must be followed by a word: nothing in the grammar goes on with a dot behind one.
#[inline]
pub(super) fn dotted(classes: u8, is_word: impl Fn(&str) -> bool, input: &str) -> Parsed<'_, &str> {
    let mut unread = input;
    let rest = loop {
        let (word, behind) = split_run(classes, unread).ok_or(NO_MATCH)?;
        if !is_word(word) {
            return Err(NO_MATCH);
        }
        match behind.strip_prefix('.') {
            Some(more) => unread = more,
            None => break behind,
        }
    };
    let words = input.get(..input.len() - rest.len()).ok_or(NO_MATCH)?;
    Ok((rest, words))
}

/// Splits off what is of `classes` at the front of `input`, perhaps nothing.
#[inline]
fn split_run(classes: u8, input: &str) -> Option<(&str, &str)> {
    let octets = input.as_bytes();
    let mut length = 0;
    // Indexed, for it is a quarter cheaper than an iterator here, and most of what parsing costs.
    while length < octets.len() && CLASSES[usize::from(octets[length])] & classes != 0 {
        length += 1;
    }
    if octets.get(length).is_some_and(|octet| !octet.is_ascii()) {
        length = wide_run(classes, input);
    }
    input.split_at_checked(length)
}

/// The length of a run in which characters outside ASCII are met.
#[cold]
fn wide_run(classes: u8, input: &str) -> usize {
    let is_wide = match classes {
        // RFC 6531 §3.3 extends these and no other.
        _ if classes & LABEL != 0 => is_u_label,
        ATEXT | QTEXT | VALUE => is_utf8_non_ascii,
        _ => |_| false,
    };
    let is_other = |c: char| match u8::try_from(c) {
        Ok(octet @ ..0x80) => CLASSES[usize::from(octet)] & classes == 0,
        _ => !is_wide(c),
    };
    input.find(is_other).unwrap_or(input.len())
}

/// What follows `prefix` at the front of `input`.
#[inline]
pub(super) fn after(prefix: char, input: &str) -> Result<&str, Err<()>> {
    input.strip_prefix(prefix).ok_or(NO_MATCH)
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
    fn dots_stand_between_words_only() {
        let dotted = |text| dotted(ATEXT, |word| !word.is_empty(), text);
        assert_eq!(dotted("a.b.c@d"), Ok(("@d", "a.b.c")));
        assert_eq!(dotted("ü.b"), Ok(("", "ü.b")));
        for text in ["", ".", ".a", "a.", "a..b", "a.@b", "a.\u{85}"] {
            assert!(dotted(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_run_ends_before_the_first_other_octet() {
        assert_eq!(run(LABEL).parse("a-b.c"), Ok((".c", "a-b")));
        assert_eq!(run(LABEL | UNDERSCORE).parse("a_b"), Ok(("", "a_b")));
        assert_eq!(run(ATEXT).parse("jürgen@b"), Ok(("@b", "jürgen")));
        assert_eq!(run(KEYWORD).parse("aü"), Ok(("ü", "a")));
        assert_eq!(run(ATEXT).parse("aü\u{85}b"), Ok(("\u{85}b", "aü")));
        assert_eq!(run(ATEXT).parse("a。\u{a0}@b"), Ok(("@b", "a。\u{a0}")));
        for text in ["", "@", "\u{85}", "\u{9f}"] {
            assert!(run(ATEXT).parse(text).is_err());
        }
    }
}
