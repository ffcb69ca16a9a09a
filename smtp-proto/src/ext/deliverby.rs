//! DELIVERBY (RFC 2852): the sender says by when a message is of use, and what to do when that is
//! over.

use super::{Extension, MailParam, Offer};
use crate::{
    client::Capabilities,
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail, Malformed},
};
use alloc::{format, vec::Vec};
use core::fmt;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "DELIVERBY",
    offered: |offer| offer.esmtp && offer.extensions.deliver_by.is_some(),
    ehlo_params,
    mail: &[MailParam { keyword: "BY", parse }],
    announced,
    has: |capabilities| capabilities.deliver_by,
    used_by_mail: |mail| mail.deliver_by.is_some(),
    ..Extension::DEFAULT
};

const BAD_BY: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: BY=seconds;N or BY=seconds;R, T behind it; more than no seconds with R",
    Violation::Syntax(SyntaxFault::BadParameter),
);
/// RFC 2852 §3: a permanent 55z.
const TOO_SOON: CommandError = CommandError::known(
    555,
    (5, 4),
    "BY is sooner than the least time offered",
    Violation::Syntax(SyntaxFault::BadParameter),
);

/// The most seconds that nine digits can say.
const MOST: u32 = 999_999_999;

/// What becomes of a message that is late (RFC 2852 §4.1.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ByMode {
    /// `N`: the sender is told, and delivery goes on.
    Notify,
    /// `R`: it is returned.
    Return,
}

/// BY: by when a message should be delivered (RFC 2852 §4).
///
/// Its `Display` form is the value: `120;R`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct DeliverBy {
    seconds: i32,
    mode: ByMode,
    trace: bool,
}

impl DeliverBy {
    /// So many seconds from now; `trace` asks for a notice when the message is relayed.
    ///
    /// RFC 2852 §4: nine digits, and with [`ByMode::Return`] more than zero; else `None`.
    pub const fn new(seconds: i32, mode: ByMode, trace: bool) -> Option<Self> {
        let late = matches!(mode, ByMode::Return) && seconds <= 0;
        if late || seconds.unsigned_abs() > MOST {
            return None;
        }
        Some(Self { seconds, mode, trace })
    }

    /// Checks the value of the parameter.
    ///
    /// RFC 2852 §4: `by-value = by-time ";" by-mode [by-trace]`, `by-time = ["-" / "+"] 1*9DIGIT`,
    /// `by-mode = "N" / "R"`, `by-trace = "T"`, in any case.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else, or no time at all with R.
    pub fn parse(value: &str) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed::of("time to deliver by");
        let (time, rest) = value.split_once(';').ok_or(BAD)?;
        let digits = time.strip_prefix(['-', '+']).unwrap_or(time);
        let seconds = seconds(digits).and_then(|n| i32::try_from(n).ok()).ok_or(BAD)?;
        let seconds = if time.starts_with('-') { -seconds } else { seconds };
        let (mode, trace) = match rest.as_bytes() {
            [mode] => (mode, false),
            [mode, b'T' | b't'] => (mode, true),
            _ => return Err(BAD),
        };
        let mode = match mode {
            b'N' | b'n' => ByMode::Notify,
            b'R' | b'r' => ByMode::Return,
            _ => return Err(BAD),
        };
        Self::new(seconds, mode, trace).ok_or(BAD)
    }

    /// Seconds from the MAIL command on; with [`ByMode::Notify`] perhaps none, or less: the time was
    /// over so long ago.
    pub const fn seconds(self) -> i32 {
        self.seconds
    }

    /// What becomes of the message then.
    pub const fn mode(self) -> ByMode {
        self.mode
    }

    /// The sender wants to be told when it is relayed.
    pub const fn trace(self) -> bool {
        self.trace
    }

    /// Whether a server whose least time for [`ByMode::Return`] is `least` must refuse it.
    pub fn is_below(self, least: u32) -> bool {
        self.mode == ByMode::Return && self.seconds.unsigned_abs() < least
    }
}

impl fmt::Display for DeliverBy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mode = match self.mode {
            ByMode::Notify => 'N',
            ByMode::Return => 'R',
        };
        write!(f, "{};{mode}{}", self.seconds, if self.trace { "T" } else { "" })
    }
}

/// `1*9DIGIT`.
fn seconds(digits: &str) -> Option<u32> {
    let fits = (1..=9).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_digit());
    if fits { digits.parse().ok() } else { None }
}

/// RFC 2852 §2(3): `deliverby-param = min-by-time *( "," extension-token )`, `min-by-time =
/// [1*9DIGIT]`, the least time that is accepted with R.
fn ehlo_params(offer: &Offer<'_>, out: &mut Vec<u8>) {
    if let Some(least) = offer.extensions.deliver_by.filter(|&least| least > 0) {
        out.extend_from_slice(format!(" {}", least.min(MOST)).as_bytes());
    }
}

/// RFC 2852 §2(3). Extension tokens are passed over.
fn announced(capabilities: &mut Capabilities, params: &str) {
    let least = match params.trim().split(',').next().unwrap_or("") {
        "" => None,
        digits => match seconds(digits) {
            Some(least) => Some(least),
            None => return,
        },
    };
    capabilities.deliver_by = true;
    capabilities.min_deliver_by = least;
}

/// RFC 2852 §4; §3: below the least time with R it is refused with 55z.
fn parse<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    offer: &Offer<'_>,
) -> Result<(), CommandError> {
    let by = DeliverBy::parse(value.ok_or(BAD_BY)?).map_err(|_| BAD_BY)?;
    if offer.extensions.deliver_by.is_some_and(|least| by.is_below(least.min(MOST))) {
        return Err(TOO_SOON);
    }
    mail.deliver_by = Some(by);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn a_time_is_read_and_written() {
        for (value, seconds, mode, trace, written) in [
            ("120;R", 120, ByMode::Return, false, "120;R"),
            ("+0000120;rt", 120, ByMode::Return, true, "120;RT"),
            ("0;N", 0, ByMode::Notify, false, "0;N"),
            ("-999999999;NT", -999_999_999, ByMode::Notify, true, "-999999999;NT"),
            ("999999999;R", 999_999_999, ByMode::Return, false, "999999999;R"),
        ] {
            let by = DeliverBy::parse(value).unwrap();
            assert_eq!((by.seconds(), by.mode(), by.trace()), (seconds, mode, trace), "{value}");
            assert_eq!(by.to_string(), written);
        }
    }

    #[test]
    fn what_is_no_time_is_refused() {
        for value in [
            "",
            ";",
            "120",
            "120;",
            "120;X",
            "120;RN",
            "120;TR",
            "120;RTT",
            "120;R ",
            "abc;R",
            "1.5;N",
            "--1;N",
            "+-1;N",
            "-;N",
            "1000000000;N",
            "0000000001;N",
            "0;R",
            "-1;R",
            "-0;R",
            "1,R",
            "٣;N",
        ] {
            assert!(DeliverBy::parse(value).is_err(), "{value}");
        }
        assert_eq!(DeliverBy::new(i32::MIN, ByMode::Notify, false), None);
        assert_eq!(DeliverBy::new(0, ByMode::Return, false), None);
    }
}
