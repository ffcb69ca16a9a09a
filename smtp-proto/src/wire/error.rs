//! What becomes of text that does not parse.

use crate::{status::EnhancedCode, violation::Violation, wire::Refused};

/// The text is not of the form that its type asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("malformed {0}")]
pub struct Malformed(&'static str);

impl Malformed {
    /// `what` is the name of the rule.
    pub(crate) const fn of(what: &'static str) -> Self {
        Self(what)
    }
}

/// A refused command line: the reply for the peer, and the fact for logs and bans.
///
/// It repeats nothing of what the peer sent.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code} {enhanced} {text}", code = .reply.code(), enhanced = .reply.enhanced(), text = .reply.text())]
pub struct CommandError {
    pub(crate) reply: Refused<'static>,
    pub(crate) violation: Violation,
}

impl CommandError {
    /// The error that `reply` answers.
    pub(crate) const fn new(reply: Refused<'static>, violation: Violation) -> Self {
        Self { reply, violation }
    }

    /// An error whose reply is written in this crate; the class of the enhanced code is that of
    /// `code`.
    pub(crate) const fn known(
        code: u16,
        (subject, detail): (u16, u16),
        text: &'static str,
        violation: Violation,
    ) -> Self {
        Self::new(Refused::known(code, subject, detail, text), violation)
    }

    /// What to answer.
    pub fn reply(&self) -> &Refused<'static> {
        &self.reply
    }

    /// The reply code.
    pub fn code(&self) -> u16 {
        self.reply.code()
    }

    /// The enhanced status code.
    pub fn enhanced(&self) -> EnhancedCode {
        self.reply.enhanced()
    }

    /// Which rule was broken.
    pub fn violation(&self) -> Violation {
        self.violation
    }
}
