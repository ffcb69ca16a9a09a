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
