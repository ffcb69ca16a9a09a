//! What a server did with a script, so that two servers can be compared.

use crate::{reply::Reply, transcript::visible};
use serde::{Deserialize, Serialize};
use std::fmt::Write;

/// How closely two behaviours must agree to count as one. Each is finer than the one before it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Detail {
    /// The first digit of each reply, how many there are, closed and silent, and what was stored.
    #[default]
    Class,
    /// Reply codes as well.
    Code,
    /// Enhanced status codes as well.
    Enhanced,
    /// All of the first line of each reply.
    Text,
}

impl Detail {
    /// All of them, the coarsest first.
    pub const ALL: [Self; 4] = [Self::Class, Self::Code, Self::Enhanced, Self::Text];

    /// Its name on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Class => "class",
            Self::Code => "code",
            Self::Enhanced => "enhanced",
            Self::Text => "text",
        }
    }
}

/// One thing that a server did.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// It replied.
    Reply {
        /// The code; 0 if there was none.
        code: u16,
        /// The enhanced status code of the first line.
        enhanced: Option<[u16; 3]>,
        /// The first line, as it can be shown.
        line: String,
    },
    /// It closed; FIN and RST are the same.
    Closed,
    /// It said nothing in time.
    Silent,
    /// It did not stop replying.
    Endless,
    /// TLS began.
    Tls,
    /// TLS did not begin.
    NoTls,
}

impl Sign {
    /// The sign of a reply; `token` is left out, so that what quotes it can be compared.
    pub(super) fn of(reply: &Reply, token: &str) -> Self {
        let first = reply.lines.first().map_or(&[][..], Vec::as_slice);
        let line = visible(first).replace(token, "{token}");
        Self::Reply { code: reply.code, enhanced: reply.enhanced(0), line }
    }

    /// As it is compared at `detail`.
    pub fn key(&self, detail: Detail) -> String {
        match self {
            Self::Closed => "closed".into(),
            Self::Silent => "silent".into(),
            Self::Endless => "endless".into(),
            Self::Tls => "TLS".into(),
            Self::NoTls => "no TLS".into(),
            Self::Reply { line, .. } if detail == Detail::Text => line.clone(),
            Self::Reply { code, .. } if detail == Detail::Class => format!("{}yz", code / 100),
            Self::Reply { code, enhanced: Some([class, subject, rest]), .. }
                if detail == Detail::Enhanced =>
            {
                format!("{code:03} {class}.{subject}.{rest}")
            }
            Self::Reply { code, .. } => format!("{code:03}"),
        }
    }
}

/// What a server did at one step of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Moment {
    /// The step, counted from 1; 0 is the connection itself.
    pub step: usize,
    /// What it did, in order; never empty.
    pub signs: Vec<Sign>,
}

impl Moment {
    /// As it is compared at `detail`.
    pub fn key(&self, detail: Detail) -> String {
        let signs: Vec<_> = self.signs.iter().map(|sign| sign.key(detail)).collect();
        signs.join(", ")
    }
}

/// A message that a script left in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Kept {
    /// Whose mailbox: the place in the target's list of recipients, counted from 1.
    pub recipient: usize,
    /// What stands behind the script's token, as it can be shown; line ends are LF.
    pub text: String,
    /// A checksum of the same.
    pub sum: u64,
}

/// What a server did with a script.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behaviour {
    /// Step by step; what comes behind a close is missing.
    pub moments: Vec<Moment>,
    /// What was stored; `None` if nobody looked.
    pub stored: Option<Vec<Kept>>,
}

impl Behaviour {
    /// Two behaviours are one at `detail` if their keys are equal.
    pub fn key(&self, detail: Detail) -> String {
        let mut key = String::new();
        for moment in &self.moments {
            // Writing into a String never fails.
            let _: std::fmt::Result = write!(key, "{}: {}; ", moment.step, moment.key(detail));
        }
        for kept in self.stored.iter().flatten() {
            let _: std::fmt::Result = write!(key, "{} got {:x}; ", kept.recipient, kept.sum);
        }
        key
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::take_reply;

    #[test]
    fn a_finer_detail_tells_more_apart() {
        let sign = |text: &[u8]| Sign::of(&take_reply(text).unwrap().0, "token7");
        let keys = |sign: &Sign| Detail::ALL.map(|detail| sign.key(detail));
        let first = sign(b"501 5.5.4 No such SIZE token7\r\n");
        assert_eq!(keys(&first), ["5yz", "501", "501 5.5.4", "501 5.5.4 No such SIZE {token}"]);
        assert_eq!(keys(&sign(b"555 what\r\n")), ["5yz", "555", "555", "555 what"]);
        assert_eq!(keys(&sign(b"hello\r\n"))[..2], ["0yz", "000"]);
    }

    #[test]
    fn what_was_stored_counts_at_every_detail() {
        let kept = |text: &str, sum| Kept { recipient: 1, text: text.into(), sum };
        let one = Behaviour { moments: Vec::new(), stored: Some(vec![kept("a", 1)]) };
        let two = Behaviour { moments: Vec::new(), stored: Some(vec![kept("b", 2)]) };
        assert_ne!(one.key(Detail::Class), two.key(Detail::Class));
    }
}
