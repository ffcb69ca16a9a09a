//! Paths (RFC 5321 §4.1.2): what stands between `<` and `>`.

use super::{
    Mailbox, Malformed, Parsed,
    class::{NO_MATCH, after},
    domain::domain,
    ends_word,
    mailbox::mailbox,
    strip_prefix_no_case,
};
use core::fmt;
use nom::{
    Parser,
    character::complete::char,
    combinator::map,
    multi::many0_count,
    sequence::{preceded, terminated},
};

/// Octets of a path, brackets and source route included. RFC 5321 §4.5.3.1.3 demands 256.
const MAX_PATH: usize = 512;

/// The path of MAIL.
///
/// ```
/// use smtp_proto::wire::ReversePath;
///
/// let (path, rest) = ReversePath::parse("<ann@example.org> SIZE=10").unwrap();
/// assert_eq!((path.to_string().as_str(), rest), ("<ann@example.org>", " SIZE=10"));
/// assert_eq!(ReversePath::parse("<>").unwrap().0, ReversePath::Null);
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ReversePath<'b> {
    /// `<>`: notices go nowhere.
    Null,
    /// A mailbox.
    Mailbox(Mailbox<'b>),
}

/// The path of RCPT.
///
/// ```
/// use smtp_proto::wire::ForwardPath;
///
/// let (path, _) = ForwardPath::parse("<@relay.example:bob@example.net>").unwrap();
/// assert_eq!(path.to_string(), "<bob@example.net>"); // a source route is dropped
/// assert_eq!(ForwardPath::parse("<postmaster>").unwrap().0, ForwardPath::Postmaster);
/// assert!(ForwardPath::parse("<>").is_err());
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum ForwardPath<'b> {
    /// `<Postmaster>` without a domain, in any case (§4.1.1.3).
    Postmaster,
    /// A mailbox.
    Mailbox(Mailbox<'b>),
}

impl<'b> ReversePath<'b> {
    /// Parses `<…>` at the front of `text`; also gives what follows it, which is empty or begins
    /// with a space. A source route is dropped.
    ///
    /// # Errors
    /// [`Malformed`] if there is no path, or something else behind it.
    pub fn parse(text: &'b str) -> Result<(Self, &'b str), Malformed> {
        match reverse_path(text) {
            Ok((rest, path)) if ends_word(rest) => Ok((path, rest)),
            _ => Err(Malformed::of("reverse path")),
        }
    }

    /// The mailbox, unless it is `<>`.
    pub fn mailbox(&self) -> Option<&Mailbox<'b>> {
        match self {
            Self::Null => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// The same path, owned.
    pub fn into_static(self) -> ReversePath<'static> {
        match self {
            Self::Null => ReversePath::Null,
            Self::Mailbox(mailbox) => ReversePath::Mailbox(mailbox.into_static()),
        }
    }
}

impl fmt::Display for ReversePath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("<>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

impl<'b> ForwardPath<'b> {
    /// Parses `<…>` at the front of `text`; also gives what follows it, which is empty or begins
    /// with a space. A source route is dropped.
    ///
    /// # Errors
    /// [`Malformed`] if there is no path, or something else behind it.
    pub fn parse(text: &'b str) -> Result<(Self, &'b str), Malformed> {
        match forward_path(text) {
            Ok((rest, path)) if ends_word(rest) => Ok((path, rest)),
            _ => Err(Malformed::of("forward path")),
        }
    }

    /// The mailbox, unless it is `<Postmaster>`.
    pub fn mailbox(&self) -> Option<&Mailbox<'b>> {
        match self {
            Self::Postmaster => None,
            Self::Mailbox(mailbox) => Some(mailbox),
        }
    }

    /// Whether it can go to a server without SMTPUTF8.
    pub fn is_ascii(&self) -> bool {
        self.mailbox().is_none_or(Mailbox::is_ascii)
    }

    /// The same path, owned.
    pub fn into_static(self) -> ForwardPath<'static> {
        match self {
            Self::Postmaster => ForwardPath::Postmaster,
            Self::Mailbox(mailbox) => ForwardPath::Mailbox(mailbox.into_static()),
        }
    }
}

impl fmt::Display for ForwardPath<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Postmaster => f.write_str("<Postmaster>"),
            Self::Mailbox(mailbox) => write!(f, "<{mailbox}>"),
        }
    }
}

/// RFC 5321 §4.1.2: `Reverse-path = Path / "<>"`.
#[inline]
pub(super) fn reverse_path(input: &str) -> Parsed<'_, ReversePath<'_>> {
    match input.strip_prefix("<>") {
        Some(rest) => Ok((rest, ReversePath::Null)),
        None => path(input).map(|(rest, mailbox)| (rest, ReversePath::Mailbox(mailbox))),
    }
}

/// RFC 5321 §4.1.1.3: `rcpt = "RCPT TO:" ( "<Postmaster@" Domain ">" / "<Postmaster>" /
/// Forward-path ) …`, §4.1.2: `Forward-path = Path`. The word is compared without case (§4.5.1).
#[inline]
pub(super) fn forward_path(input: &str) -> Parsed<'_, ForwardPath<'_>> {
    match strip_prefix_no_case(input, "<Postmaster>") {
        Some(rest) => Ok((rest, ForwardPath::Postmaster)),
        None => path(input).map(|(rest, mailbox)| (rest, ForwardPath::Mailbox(mailbox))),
    }
}

/// RFC 5321 §4.1.2: `Path = "<" [ A-d-l ":" ] Mailbox ">"`. The source route MUST be accepted and
/// SHOULD be ignored (appendix C): it is checked and dropped.
#[inline]
fn path(input: &str) -> Parsed<'_, Mailbox<'_>> {
    let inside = after('<', input)?;
    // No mailbox begins with an `@`.
    let inside = if inside.starts_with('@') { source_route(inside)?.0 } else { inside };
    let (rest, mailbox) = mailbox(inside)?;
    let rest = after('>', rest)?;
    if input.len() - rest.len() > MAX_PATH {
        return Err(NO_MATCH);
    }
    Ok((rest, mailbox))
}

/// RFC 5321 §4.1.2: `A-d-l = At-domain *( "," At-domain )`, `At-domain = "@" Domain`, and the
/// colon that ends it within a Path.
fn source_route(input: &str) -> Parsed<'_, ()> {
    let more = many0_count(preceded(char(','), at_domain));
    map(terminated((at_domain, more), char(':')), drop).parse(input)
}

/// RFC 5321 §4.1.2: `At-domain = "@" Domain`.
fn at_domain(input: &str) -> Parsed<'_, ()> {
    map(preceded(char('@'), domain), drop).parse(input)
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{format, string::ToString};

    #[test]
    fn reverse_paths_are_read_and_written() {
        for (text, written, rest) in [
            ("<>", "<>", ""),
            ("<> SIZE=1", "<>", " SIZE=1"),
            ("<a@b.example>", "<a@b.example>", ""),
            ("<a@b.example> ", "<a@b.example>", " "),
            ("<@relay.example:a@b.example>", "<a@b.example>", ""),
            ("<@r.example,@s.example:a@b.example> X", "<a@b.example>", " X"),
            (r#"<"a>b c"@d.example> X"#, r#"<"a>b c"@d.example>"#, " X"),
        ] {
            let (path, left) = ReversePath::parse(text).unwrap();
            assert_eq!((path.to_string().as_str(), left), (written, rest));
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for text in [
            "",
            "<",
            ">",
            "a@b",
            "<a@b",
            "a@b>",
            "<a@b>SIZE=1",
            "<a@b>\tSIZE=1",
            "<<a@b>>",
            "<@>",
            "<a@>",
            "<a@b@c>",
            "< a@b>",
            "<a@b >",
            "<;sleep 3;>",
            "<@r.example>",
            "<@r.example:>",
            "<@r.example,a@b>",
            "<@r.example,:a@b>",
            "<@[192.0.2.1]:a@b>",
            "<user1>",
            "<>x",
            "<a\0b@c>",
            "<a\x01b@c>",
            "< >",
        ] {
            assert!(ReversePath::parse(text).is_err(), "{text:?}");
            assert!(ForwardPath::parse(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn postmaster_needs_no_domain_as_a_recipient_only() {
        for text in ["<postmaster>", "<Postmaster> X", "<pOsTmAsTeR>"] {
            assert_eq!(ForwardPath::parse(text).unwrap().0, ForwardPath::Postmaster);
            assert!(ReversePath::parse(text).is_err());
        }
        assert!(ForwardPath::parse("<>").is_err());
        assert!(ForwardPath::parse("<postmaster>x").is_err());
    }

    #[test]
    fn a_path_of_512_octets_is_the_longest() {
        let domain = format!("{0}.{0}.{0}", "d".repeat(63));
        let path = |n: usize| format!("<@{domain}:{}@{domain}>", "l".repeat(n));
        assert_eq!(path(125).len(), 512);
        assert!(ReversePath::parse(&path(125)).is_ok());
        assert!(ReversePath::parse(&path(126)).is_err());
    }
}
