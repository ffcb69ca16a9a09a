//! MT-PRIORITY (RFC 6710): how urgent a message is among others.

use super::{Extension, MailParam, Offer};
use crate::{
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail, Malformed},
};
use core::fmt;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "MT-PRIORITY",
    offered: |offer| offer.esmtp && offer.extensions.mt_priority,
    mail: &[MailParam { keyword: "MT-PRIORITY", parse }],
    // §3(3): a client may use it without knowing the policy that is named behind the keyword.
    announced: |capabilities, _| capabilities.mt_priority = true,
    has: |capabilities| capabilities.mt_priority,
    used_by_mail: |mail| mail.priority.is_some(),
    ..Extension::DEFAULT
};

/// RFC 6710 §4.1(1): 501 with 5.5.2.
const BAD_PRIORITY: CommandError = CommandError::known(
    501,
    (5, 2),
    "Syntax: MT-PRIORITY=number from -9 to 9",
    Violation::Syntax(SyntaxFault::BadParameter),
);

/// The MT-PRIORITY parameter of MAIL (RFC 6710 §3(5)): from -9 to 9, higher is more urgent; a message
/// without it has 0.
///
/// Grant one above 0 only to whom you trust (§4.1): to others, accept MAIL with 250 2.3.6 and the
/// priority that you give the message, or refuse it with 450 or 550 and X.7.15.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Priority(i8);

impl Priority {
    /// A number from -9 to 9, else `None`.
    pub const fn new(number: i8) -> Option<Self> {
        if matches!(number, -9..=9) { Some(Self(number)) } else { None }
    }

    /// Checks the value of the parameter.
    ///
    /// RFC 6710 §7: `priority-value = (["-"] NZDIGIT) / "0"`.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else.
    pub fn parse(value: &str) -> Result<Self, Malformed> {
        match value.as_bytes() {
            [digit @ b'0'..=b'9'] => Ok(Self((digit - b'0') as i8)),
            [b'-', digit @ b'1'..=b'9'] => Ok(Self(-((digit - b'0') as i8))),
            _ => Err(Malformed::of("priority")),
        }
    }

    /// The number.
    pub const fn get(self) -> i8 {
        self.0
    }
}

impl fmt::Display for Priority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

fn parse<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    let priority = value.and_then(|value| Priority::parse(value).ok()).ok_or(BAD_PRIORITY)?;
    mail.priority = Some(priority);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use alloc::string::ToString;

    #[test]
    fn every_priority_is_read_as_it_was_written() {
        for number in -128..=127i8 {
            match Priority::new(number) {
                Some(priority) => {
                    assert_eq!(Priority::parse(&number.to_string()), Ok(priority));
                    assert_eq!(
                        (priority.get(), priority.to_string()),
                        (number, number.to_string())
                    );
                }
                None => assert!(Priority::parse(&number.to_string()).is_err(), "{number}"),
            }
        }
        for value in ["", "-", "+1", "-0", "00", "01", "1.0", "a", " 1", "٣"] {
            assert!(Priority::parse(value).is_err(), "{value}");
        }
    }
}
