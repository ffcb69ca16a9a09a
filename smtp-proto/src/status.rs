//! Enhanced status codes (RFC 3463).

use core::fmt;

/// The first digit of an enhanced status code (RFC 3463 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// 2: it worked.
    Success,
    /// 4: it may work later.
    Transient,
    /// 5: it will not work as it stands.
    Permanent,
}

impl Class {
    /// The class of a basic reply code; `None` for 1yz, 3yz and what is no reply code.
    pub const fn of(code: u16) -> Option<Self> {
        match code / 100 {
            2 => Some(Self::Success),
            4 => Some(Self::Transient),
            5 => Some(Self::Permanent),
            _ => None,
        }
    }

    /// The digit.
    pub const fn digit(self) -> u8 {
        match self {
            Self::Success => 2,
            Self::Transient => 4,
            Self::Permanent => 5,
        }
    }
}

/// An enhanced status code, `class.subject.detail` (RFC 3463 §2).
///
/// ```
/// use smtp_proto::{Class, EnhancedCode};
///
/// let code = EnhancedCode::permanent(1, 1);
/// assert_eq!((code.class(), code.to_string().as_str()), (Class::Permanent, "5.1.1"));
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct EnhancedCode {
    class: Class,
    subject: u16,
    detail: u16,
}

impl EnhancedCode {
    /// A code of its three parts; subject and detail have at most three digits, else `None`.
    pub const fn new(class: Class, subject: u16, detail: u16) -> Option<Self> {
        if subject > 999 || detail > 999 {
            return None;
        }
        Some(Self { class, subject, detail })
    }

    /// A code `4.subject.detail`.
    pub const fn transient(subject: u8, detail: u8) -> Self {
        Self { class: Class::Transient, subject: subject as u16, detail: detail as u16 }
    }

    /// A code `5.subject.detail`.
    pub const fn permanent(subject: u8, detail: u8) -> Self {
        Self { class: Class::Permanent, subject: subject as u16, detail: detail as u16 }
    }

    /// The code at the start of the text of a reply line, and what follows it and its space.
    ///
    /// RFC 2034 §4: `status-code ::= class "." subject "." detail`, `class ::= "2" / "4" / "5"`,
    /// `subject ::= 1*3digit`, `detail ::= 1*3digit`.
    pub(crate) fn split(text: &[u8]) -> Option<(Self, &[u8])> {
        let end = text.iter().position(|b| matches!(b, b' ' | b'\t')).unwrap_or(text.len());
        let (code, rest) = text.split_at(end);
        let [class, b'.', code @ ..] = code else { return None };
        let class = Class::of(u16::from(class.checked_sub(b'0')?) * 100)?;
        let mut parts = code.split(|&b| b == b'.').map(number);
        let code = Self::new(class, parts.next()??, parts.next()??)?;
        let rest = rest.get(1..).unwrap_or_default();
        parts.next().is_none().then_some((code, rest))
    }

    /// A code whose class is that of a basic code, for replies written here.
    pub(crate) const fn of(code: u16, subject: u16, detail: u16) -> Self {
        let class = match Class::of(code) {
            Some(class) => class,
            None => Class::Success,
        };
        Self { class, subject, detail }
    }

    /// The class.
    pub const fn class(self) -> Class {
        self.class
    }

    /// The subject: 1 addressing, 2 mailbox, 3 mail system, 4 network, 5 protocol, 6 content,
    /// 7 policy.
    pub const fn subject(self) -> u16 {
        self.subject
    }

    /// The detail.
    pub const fn detail(self) -> u16 {
        self.detail
    }
}

impl fmt::Display for EnhancedCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}.{}", self.class.digit(), self.subject, self.detail)
    }
}

/// The value of one to three digits.
fn number(digits: &[u8]) -> Option<u16> {
    if !(1..=3).contains(&digits.len()) || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(digits.iter().fold(0, |n, digit| n * 10 + u16::from(digit - b'0')))
}
