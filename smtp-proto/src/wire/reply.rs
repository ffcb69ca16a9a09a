//! Replies as a server gives them (RFC 5321 §4.2, RFC 2034).

use crate::status::{Class, EnhancedCode};
use alloc::{borrow::Cow, vec::Vec};

/// Octets of one reply line, code and CRLF included (RFC 5321 §4.5.3.1.5).
pub const MAX_REPLY_LINE: usize = 512;

/// Octets of one reply with all its lines. An EHLO answer with every extension stays below it.
pub const MAX_REPLY: usize = 4096;

/// The longest `class.subject.detail` with its space.
const MAX_ENHANCED: usize = "5.999.999 ".len();

/// Text of a reply line, without code, enhanced code and CRLF.
pub(super) const MAX_TEXT_LINE: usize = MAX_REPLY_LINE - "250-".len() - MAX_ENHANCED - "\r\n".len();

/// Why a reply cannot be built.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum InvalidReply {
    /// The code is not of the class that the answer needs.
    #[error("the reply code does not fit the answer")]
    Code,
    /// The class of the enhanced code differs from that of the code (RFC 2034 §4).
    #[error("the enhanced status code does not fit the reply code")]
    Class,
    /// The text holds something other than printable ASCII, tab and line feed.
    #[error("the reply text has an octet that may not be sent")]
    Text,
    /// A line or the whole text is too long.
    #[error("the reply text is too long")]
    Length,
}

/// The text of a reply: printable ASCII and tabs, `\n` between lines. A CR cannot get in, so no
/// text can forge another reply.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyText<'r>(Cow<'r, str>);

impl<'r> ReplyText<'r> {
    /// Checks `text`. Each of its lines has at most 496 octets, all of them together at most
    /// 2,048 in at most 64 lines.
    ///
    /// # Errors
    /// [`InvalidReply::Text`] or [`InvalidReply::Length`].
    pub fn new(text: impl Into<Cow<'r, str>>) -> Result<Self, InvalidReply> {
        let text = text.into();
        if !text.bytes().all(|b| matches!(b, b' '..=b'~' | b'\t' | b'\n')) {
            return Err(InvalidReply::Text);
        }
        let fits = text.split('\n').all(|line| line.len() <= MAX_TEXT_LINE);
        if !fits || text.len() > 2048 || text.split('\n').count() > 64 {
            return Err(InvalidReply::Length);
        }
        Ok(Self(text))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The same text, owned.
    pub fn into_static(self) -> ReplyText<'static> {
        ReplyText(Cow::Owned(self.0.into_owned()))
    }
}

/// A positive answer in your words: a 2yz code, its enhanced code and a text.
///
/// ```
/// use smtp_proto::{Class, EnhancedCode, wire::Accepted};
///
/// let code = EnhancedCode::new(Class::Success, 6, 0).unwrap();
/// assert_eq!(Accepted::new(250, code, "Queued as 4711")?.code(), 250);
/// # Ok::<(), smtp_proto::wire::InvalidReply>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Accepted<'r> {
    pub(crate) code: u16,
    pub(crate) enhanced: EnhancedCode,
    pub(crate) text: ReplyText<'r>,
}

/// A negative answer: a 4yz or 5yz code, its enhanced code and a text.
///
/// ```
/// use smtp_proto::{EnhancedCode, wire::Refused};
///
/// let later = Refused::new(451, EnhancedCode::transient(7, 1), "Try again in 5 minutes")?;
/// assert_eq!((later.code(), later.text()), (451, "Try again in 5 minutes"));
/// // What would be no reply, or two, cannot be made.
/// assert!(Refused::new(250, EnhancedCode::transient(7, 1), "x").is_err());
/// assert!(Refused::new(550, EnhancedCode::transient(7, 1), "x").is_err());
/// assert!(Refused::new(451, EnhancedCode::transient(7, 1), "x\r\n250 y").is_err());
/// # Ok::<(), smtp_proto::wire::InvalidReply>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refused<'r> {
    pub(crate) code: u16,
    pub(crate) enhanced: EnhancedCode,
    pub(crate) text: ReplyText<'r>,
}

impl<'r> Accepted<'r> {
    /// A reply with a code of 200 to 299.
    ///
    /// # Errors
    /// [`InvalidReply`] says which part does not fit.
    pub fn new(
        code: u16,
        enhanced: EnhancedCode,
        text: impl Into<Cow<'r, str>>,
    ) -> Result<Self, InvalidReply> {
        if !(200..300).contains(&code) {
            return Err(InvalidReply::Code);
        }
        check_class(code, enhanced)?;
        Ok(Self { code, enhanced, text: ReplyText::new(text)? })
    }

    /// The reply code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The same reply, owned.
    pub fn into_static(self) -> Accepted<'static> {
        Accepted { code: self.code, enhanced: self.enhanced, text: self.text.into_static() }
    }
}

impl<'r> Refused<'r> {
    /// A reply with a code of 400 to 599.
    ///
    /// # Errors
    /// [`InvalidReply`] says which part does not fit.
    pub fn new(
        code: u16,
        enhanced: EnhancedCode,
        text: impl Into<Cow<'r, str>>,
    ) -> Result<Self, InvalidReply> {
        if !(400..600).contains(&code) {
            return Err(InvalidReply::Code);
        }
        check_class(code, enhanced)?;
        Ok(Self { code, enhanced, text: ReplyText::new(text)? })
    }

    /// The reply code.
    pub fn code(&self) -> u16 {
        self.code
    }

    /// The enhanced status code.
    pub fn enhanced(&self) -> EnhancedCode {
        self.enhanced
    }

    /// The text.
    pub fn text(&self) -> &str {
        self.text.as_str()
    }

    /// The same reply, owned.
    pub fn into_static(self) -> Refused<'static> {
        Refused { code: self.code, enhanced: self.enhanced, text: self.text.into_static() }
    }
}

impl Refused<'static> {
    /// A reply written in this crate; a test checks each of them.
    pub(crate) const fn known(code: u16, subject: u16, detail: u16, text: &'static str) -> Self {
        Self {
            code,
            enhanced: EnhancedCode::of(code, subject, detail),
            text: ReplyText(Cow::Borrowed(text)),
        }
    }

    /// 550 5.1.1: there is no such mailbox.
    pub const NO_SUCH_USER: Self = Self::known(550, 1, 1, "No such user here");
    /// 550 5.7.1: the recipient is not ours and the peer may not relay.
    pub const RELAY_DENIED: Self = Self::known(550, 7, 1, "Relaying denied");
    /// 521 5.3.2: to everybody who connects, from a host that takes no mail at all (RFC 7504 §3).
    pub const NO_MAIL_HERE: Self = Self::known(521, 3, 2, "Host does not accept mail");
    /// 556 5.1.10: to RCPT, for a domain of others that takes no mail, as its null MX says (RFC
    /// 7504 §4, RFC 7505 §4.1).
    pub const NO_MAIL_THERE: Self = Self::known(556, 1, 10, "Domain does not accept mail");
    /// 550 5.7.0: to XCLIENT, from who may not use it.
    pub const UNAUTHORIZED: Self = Self::known(550, 7, 0, "Insufficient authorization");
    /// 554 5.7.1: policy.
    pub const DENIED: Self = Self::known(554, 7, 1, "Refused by policy");
    /// 451 4.3.0: something here failed; try again.
    pub const TRY_LATER: Self = Self::known(451, 3, 0, "Local error, try again later");
    /// 452 4.3.1: no room.
    pub const STORAGE: Self = Self::known(452, 3, 1, "Insufficient system storage");
    /// 552 5.3.4: the message is too large.
    pub const TOO_LARGE: Self = Self::known(552, 3, 4, "Message too large");
    /// 554 5.6.0: the content is not acceptable.
    pub const CONTENT: Self = Self::known(554, 6, 0, "Message content refused");
    /// 530 5.7.0: authenticate first.
    pub const AUTH_REQUIRED: Self = Self::known(530, 7, 0, "Authentication required");
    /// 535 5.7.8: wrong name or password.
    pub const AUTH_FAILED: Self = Self::known(535, 7, 8, "Authentication failed");
    /// 454 4.7.0: the authentication could not be checked now.
    pub const AUTH_TRY_LATER: Self = Self::known(454, 7, 0, "Temporary authentication failure");
    /// 504 5.5.4: no such AUTH mechanism.
    pub const NO_SUCH_MECHANISM: Self =
        Self::known(504, 5, 4, "Authentication mechanism not supported");
    /// 454 4.7.0: TLS cannot be started now.
    pub const TLS_UNAVAILABLE: Self = Self::known(454, 7, 0, "TLS not available now");
    /// 502 5.5.1: known, but not done here.
    pub const NOT_IMPLEMENTED: Self = Self::known(502, 5, 1, "Command not implemented");
    /// 421 4.3.2: the server stops.
    pub const SHUTTING_DOWN: Self = Self::known(421, 3, 2, "Shutting down, try again later");
    /// 421 4.7.0: too many connections.
    pub const TOO_MANY_CONNECTIONS: Self =
        Self::known(421, 7, 0, "Too many connections, try again later");
}

fn check_class(code: u16, enhanced: EnhancedCode) -> Result<(), InvalidReply> {
    if Class::of(code) == Some(enhanced.class()) { Ok(()) } else { Err(InvalidReply::Class) }
}

/// Appends `code` and `text` to `out`, a reply line for each line of the text, every line with the
/// enhanced code (RFC 2034 §3). Lines that would pass `most` octets in all are left out.
pub(crate) fn write_reply(
    out: &mut Vec<u8>,
    code: u16,
    enhanced: Option<EnhancedCode>,
    text: &str,
    most: usize,
) {
    let mut room = most;
    let mut rest = Some(text);
    while let Some(text) = rest {
        let (line, next) = match memchr::memchr(b'\n', text.as_bytes()) {
            Some(at) => (&text[..at], Some(&text[at + 1..])),
            None => (text, None),
        };
        room = room.saturating_sub(cost(line));
        // Whether another line follows and still fits decides the separator.
        rest = next.filter(|next| cost(next.split('\n').next().unwrap_or(next)) <= room);
        write_line(out, code, if rest.is_some() { b'-' } else { b' ' }, enhanced, line);
    }
}

/// The most octets that a reply line with this text may take.
fn cost(text: &str) -> usize {
    "250-".len() + MAX_ENHANCED + text.len() + "\r\n".len()
}

fn write_line(
    out: &mut Vec<u8>,
    code: u16,
    separator: u8,
    enhanced: Option<EnhancedCode>,
    text: &str,
) {
    out.reserve(cost(text));
    let digit = |n: u16| b'0' + (n % 10) as u8;
    out.extend_from_slice(&[digit(code / 100), digit(code / 10), digit(code), separator]);
    if let Some(enhanced) = enhanced {
        match (enhanced.subject(), enhanced.detail()) {
            (subject @ 0..10, detail @ 0..10) => {
                let class = b'0' + enhanced.class().digit();
                let code = [class, b'.', digit(subject), b'.', digit(detail), b' '];
                out.extend_from_slice(&code);
            }
            (subject, detail) => {
                push_decimal(out, enhanced.class().digit().into());
                out.push(b'.');
                push_decimal(out, subject);
                out.push(b'.');
                push_decimal(out, detail);
                out.push(b' ');
            }
        }
    }
    out.extend_from_slice(text.as_bytes());
    out.extend_from_slice(b"\r\n");
}

fn push_decimal(out: &mut Vec<u8>, n: u16) {
    if n >= 100 {
        out.push(b'0' + (n / 100 % 10) as u8);
    }
    if n >= 10 {
        out.push(b'0' + (n / 10 % 10) as u8);
    }
    out.push(b'0' + (n % 10) as u8);
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::{
        format,
        string::{String, ToString},
    };

    fn written(code: u16, enhanced: Option<EnhancedCode>, text: &str, most: usize) -> String {
        let mut out = Vec::new();
        write_reply(&mut out, code, enhanced, text, most);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn every_line_has_both_codes_and_the_last_a_space() {
        let enhanced = Some(EnhancedCode::of(550, 1, 1));
        assert_eq!(written(550, enhanced, "No", MAX_REPLY), "550 5.1.1 No\r\n");
        assert_eq!(
            written(550, enhanced, "No\n\nnever", MAX_REPLY),
            "550-5.1.1 No\r\n550-5.1.1 \r\n550 5.1.1 never\r\n"
        );
        assert_eq!(written(220, None, "a\nb", MAX_REPLY), "220-a\r\n220 b\r\n");
        let wide = EnhancedCode::new(Class::Transient, 10, 999);
        assert_eq!(written(450, wide, "", MAX_REPLY), "450 4.10.999 \r\n");
    }

    #[test]
    fn lines_that_do_not_fit_are_left_out_and_the_reply_still_ends() {
        let text = "x".repeat(100) + "\n" + &"y".repeat(100) + "\n" + &"z".repeat(100);
        for most in 0..400 {
            let reply = written(250, None, &text, most);
            let lines: Vec<&str> = reply.split_terminator("\r\n").collect();
            let (last, before) = lines.split_last().unwrap();
            assert!(last.starts_with("250 "));
            assert!(before.iter().all(|line| line.starts_with("250-")));
            assert!(reply.len() <= most.max(106), "{most}");
        }
    }

    #[test]
    fn no_line_that_fits_is_left_out() {
        let enhanced = EnhancedCode::new(Class::Permanent, 999, 999);
        for octets in 0..=MAX_TEXT_LINE {
            let line = "x".repeat(octets);
            let reply = written(550, enhanced, &[line.as_str(); 300].join("\n"), MAX_REPLY);
            let next = format!("550 5.999.999 {line}\r\n").len();
            assert!((MAX_REPLY - next + 1..=MAX_REPLY).contains(&reply.len()), "{octets}");
        }
    }

    #[test]
    fn the_longest_text_fits_the_longest_reply() {
        let line = "x".repeat(MAX_TEXT_LINE);
        let longest = [line.as_str(); 4].join("\n");
        let enhanced = EnhancedCode::new(Class::Permanent, 999, 999);
        for text in [longest.as_str(), &"\n".repeat(63)] {
            ReplyText::new(text).unwrap();
            let reply = written(550, enhanced, text, MAX_REPLY);
            assert_eq!(reply.matches("\r\n").count(), text.split('\n').count());
            assert!(reply.split("\r\n").all(|line| line.len() + 2 <= MAX_REPLY_LINE));
        }
    }

    #[test]
    fn text_that_could_forge_a_reply_is_refused() {
        for text in ["a\r\n250 b", "a\rb", "a\0", "\x1b[2J", "\x7f", "é"] {
            assert_eq!(ReplyText::new(text), Err(InvalidReply::Text), "{text:?}");
        }
        let long = "x".repeat(MAX_TEXT_LINE + 1);
        let many = "\n".repeat(64);
        for text in [long.as_str(), &many] {
            assert_eq!(ReplyText::new(text), Err(InvalidReply::Length));
        }
        assert!(ReplyText::new("a\tb\nc").is_ok());
    }

    #[test]
    fn codes_fit_their_answer_and_each_other() {
        let ok = EnhancedCode::of(250, 0, 0);
        let no = EnhancedCode::of(550, 0, 0);
        assert_eq!(Accepted::new(251, ok, "Ok").map(|reply| reply.code()), Ok(251));
        assert_eq!(Accepted::new(354, ok, "Go"), Err(InvalidReply::Code));
        assert_eq!(Accepted::new(250, no, "Ok"), Err(InvalidReply::Class));
        assert!(Refused::new(550, no, "No").is_ok());
        assert_eq!(Refused::new(450, no, "No"), Err(InvalidReply::Class));
        for code in [250, 354, 399, 600, 0, u16::MAX] {
            assert_eq!(Refused::new(code, no, "No"), Err(InvalidReply::Code));
        }
    }

    #[test]
    fn the_constants_are_valid_replies() {
        for reply in [
            Refused::NO_SUCH_USER,
            Refused::RELAY_DENIED,
            Refused::DENIED,
            Refused::TRY_LATER,
            Refused::STORAGE,
            Refused::TOO_LARGE,
            Refused::CONTENT,
            Refused::AUTH_REQUIRED,
            Refused::AUTH_FAILED,
            Refused::AUTH_TRY_LATER,
            Refused::NO_SUCH_MECHANISM,
            Refused::TLS_UNAVAILABLE,
            Refused::NOT_IMPLEMENTED,
            Refused::SHUTTING_DOWN,
            Refused::TOO_MANY_CONNECTIONS,
        ] {
            let text = reply.text().to_string();
            assert_eq!(Refused::new(reply.code(), reply.enhanced(), text).as_ref(), Ok(&reply));
        }
    }
}
