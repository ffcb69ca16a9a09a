//! FUTURERELEASE (RFC 4865): a message is submitted now and released later. Offered for submission
//! only (§4.2).

use super::{Extension, MailParam, Offer};
use crate::{
    client::Capabilities,
    server::Mode,
    violation::{SyntaxFault, Violation},
    wire::{CommandError, DateTime, Mail},
};
use alloc::{format, vec::Vec};
use core::fmt;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "FUTURERELEASE",
    offered: |offer| {
        offer.esmtp && offer.mode == Mode::Submission && offer.extensions.future_release.is_some()
    },
    ehlo_params,
    mail: &[
        MailParam { keyword: "HOLDFOR", parse: parse_for },
        MailParam { keyword: "HOLDUNTIL", parse: parse_until },
    ],
    announced,
    has: |capabilities| capabilities.future_release.is_some(),
    used_by_mail: |mail| mail.hold.is_some(),
    ..Extension::DEFAULT
};

const BAD_FOR: CommandError = bad("Syntax: HOLDFOR=seconds, from 1 to the most that is offered");
const BAD_UNTIL: CommandError =
    bad("Syntax: HOLDUNTIL=date-time in UTC, up to the latest that is offered");
const TWICE: CommandError = bad("Give one of HOLDFOR and HOLDUNTIL");
const NEVER: CommandError = bad("The message would be released after the time in BY");

/// RFC 4865 §4.2(10), (11): 501 with 5.5.4.
const fn bad(text: &'static str) -> CommandError {
    CommandError::known(501, (5, 4), text, Violation::Syntax(SyntaxFault::BadParameter))
}

/// How long a server holds messages (RFC 4865 §3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct FutureRelease {
    /// The longest hold, in seconds, from 1 to 999,999,999.
    pub longest: u32,
    /// The latest moment of release.
    pub latest: DateTime,
}

/// HOLDFOR or HOLDUNTIL: when to release a message (RFC 4865 §3(4)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Hold {
    /// After so many seconds, from 1 to 999,999,999.
    For(u32),
    /// At this moment. One that is past releases the message at once.
    Until(DateTime),
}

impl fmt::Display for Hold {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::For(seconds) => write!(f, "HOLDFOR={seconds}"),
            Self::Until(moment) => write!(f, "HOLDUNTIL={moment}"),
        }
    }
}

impl FutureRelease {
    /// Whether a server that offers this takes `hold`.
    pub fn allows(&self, hold: Hold) -> bool {
        match hold {
            Hold::For(seconds) => (1..=self.longest).contains(&seconds),
            Hold::Until(moment) => moment <= self.latest,
        }
    }
}

/// RFC 4865 §3(2): `future-release-integer = %x31-39 *8DIGIT`.
fn seconds(digits: &str) -> Option<u32> {
    let fits = digits.len() <= 9 && digits.bytes().all(|b| b.is_ascii_digit());
    if fits && !digits.starts_with('0') { digits.parse().ok() } else { None }
}

/// RFC 4865 §3(3): the interval, then the moment.
fn ehlo_params(offer: &Offer<'_>, out: &mut Vec<u8>) {
    if let Some(FutureRelease { longest, latest }) = offer.extensions.future_release {
        out.extend_from_slice(format!(" {longest} {latest}").as_bytes());
    }
}

/// RFC 4865 §3(2): both are required.
fn announced(capabilities: &mut Capabilities, params: &str) {
    let mut words = params.split_ascii_whitespace();
    if let (Some(longest), Some(latest), None) = (words.next(), words.next(), words.next())
        && let (Some(longest), Ok(latest)) = (seconds(longest), DateTime::parse(latest))
    {
        capabilities.future_release = Some(FutureRelease { longest, latest });
    }
}

/// RFC 4865 §3(4): `hold-for-param = "HOLDFOR=" future-release-interval`.
fn parse_for<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    offer: &Offer<'_>,
) -> Result<(), CommandError> {
    hold(mail, value.and_then(seconds).map(Hold::For).ok_or(BAD_FOR)?, offer, BAD_FOR)
}

/// RFC 4865 §3(4), erratum 2040: `hold-until-param = "HOLDUNTIL=" date-time`. Deviation: one that is
/// not in UTC is turned into it.
fn parse_until<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    offer: &Offer<'_>,
) -> Result<(), CommandError> {
    let moment = value.and_then(|value| DateTime::parse(value).ok()).ok_or(BAD_UNTIL)?;
    hold(mail, Hold::Until(moment), offer, BAD_UNTIL)
}

/// RFC 4865 §4.2(7), (8), (9).
fn hold(
    mail: &mut Mail<'_>,
    hold: Hold,
    offer: &Offer<'_>,
    too_late: CommandError,
) -> Result<(), CommandError> {
    if mail.hold.replace(hold).is_some() {
        return Err(TWICE);
    }
    match offer.extensions.future_release {
        Some(offered) if offered.allows(hold) => Ok(()),
        _ => Err(too_late),
    }
}

/// RFC 4865 §5.2.2: what is released after the time to deliver it by is refused. Where this takes a
/// clock, with HOLDUNTIL, it is the embedder's business.
pub(crate) fn check(mail: &Mail<'_>) -> Result<(), CommandError> {
    match (mail.hold, mail.deliver_by) {
        (Some(Hold::For(hold)), Some(by)) if i64::from(hold) > i64::from(by.seconds()) => {
            Err(NEVER)
        }
        _ => Ok(()),
    }
}
