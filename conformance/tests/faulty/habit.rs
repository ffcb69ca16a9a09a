//! What a server may do and few servers do: no case may blame it for that.

use super::{fault::Fault as F, session::Session};

/// A habit that breaks no rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Habit {
    /// Says on three lines what others say on one.
    ManyLines,
    /// Says no word that it need not say.
    Terse,
    /// Says much, and what looks like other replies.
    Wordy,
    /// Uses other codes where the RFC leaves a choice.
    OtherCodes,
    /// Hangs up with 421 at the third error.
    ThirdError,
    /// Takes its time for each reply.
    Slow,
    /// Writes its keywords in small letters.
    SmallLetters,
    /// Offers what it should, and no more, on one port.
    Bare,
    /// Serves four sessions at once, and greets others with 421.
    FourSessions,
    /// Writes trace fields as the grammar lets it, and nobody does.
    OddTrace,
}

impl Habit {
    /// All of them.
    pub(crate) const ALL: [Self; 10] = [
        Self::ManyLines,
        Self::Terse,
        Self::Wordy,
        Self::OtherCodes,
        Self::ThirdError,
        Self::Slow,
        Self::SmallLetters,
        Self::Bare,
        Self::FourSessions,
        Self::OddTrace,
    ];
}

impl Session<'_> {
    pub(super) fn is(&self, habit: Habit) -> bool {
        self.server.setting.habit == Some(habit)
    }

    /// The code and the lines of a reply, as the server has the habit of saying them.
    pub(super) fn habitual(&self, code: u16, status: &str, text: &[u8]) -> (u16, Vec<Vec<u8>>) {
        // A challenge is one line, RFC 4954 §4; the greeting and the answer to HELO begin with a name.
        let named = code == 220 || text == super::server::NAME.as_bytes();
        let code = if self.is(Habit::OtherCodes) { other(code, status) } else { code };
        let lines = match () {
            () if code == 334 || status.starts_with("2.7") => vec![text.to_vec()],
            () if self.is(Habit::ManyLines) => {
                vec![text.to_vec(), b"as was to be expected".to_vec(), b"".to_vec()]
            }
            () if self.is(Habit::Terse) && !named => vec![Vec::new()],
            () if self.is(Habit::Wordy) => {
                vec![[text, b" 250-OK 5.5.1 354 <\"x@y\"> \\ \t", &[b'.'; 300]].concat()]
            }
            () => vec![text.to_vec()],
        };
        (code, lines)
    }

    /// How many errors it takes.
    pub(super) fn most_errors(&self, usual: u32) -> u32 {
        match () {
            () if self.has(F::ErrorsUnlimited) => u32::MAX,
            () if self.is(Habit::ThirdError) => 3,
            () => usual,
        }
    }

    /// Whether it does not know a command that belongs to an extension.
    pub(super) fn lacks(&self, verb: &[u8]) -> bool {
        let extended = [&b"BDAT"[..], b"STARTTLS", b"AUTH", b"ETRN"];
        self.is(Habit::Bare) && extended.contains(&verb)
    }
}

/// Another code that says the same.
fn other(code: u16, status: &str) -> u16 {
    match (code, status) {
        (250, "2.1.5") => 251,
        (214, _) => 211,
        (550, "5.7.1") => 554,
        (501, "5.1.3" | "5.1.7") => 553,
        (code, _) => code,
    }
}
