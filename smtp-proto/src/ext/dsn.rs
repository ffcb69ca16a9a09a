//! DSN (RFC 3461): the sender says when notices are wanted, and what they carry.

use super::{Extension, MailParam, Offer, RcptParam, is_word};
use crate::{
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail, Malformed, Rcpt, Xtext, is_atom},
};
use alloc::borrow::Cow;
use core::fmt;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "DSN",
    offered: |offer| offer.esmtp && offer.extensions.dsn,
    mail: &[
        MailParam { keyword: "RET", parse: parse_ret },
        MailParam { keyword: "ENVID", parse: parse_envid },
    ],
    rcpt: &[
        RcptParam { keyword: "NOTIFY", parse: parse_notify },
        RcptParam { keyword: "ORCPT", parse: parse_orcpt },
    ],
    announced: |capabilities, _| capabilities.dsn = true,
    has: |capabilities| capabilities.dsn,
    used_by_mail: |mail| {
        mail.ret.is_some() || mail.envid.as_ref().is_some_and(|envid| !envid.as_str().is_empty())
    },
    used_by_rcpt: |rcpt| rcpt.notify.is_some() || rcpt.orcpt.is_some(),
    ..Extension::DEFAULT
};

const BAD_RET: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: RET=FULL or RET=HDRS",
    Violation::Syntax(SyntaxFault::BadParameter),
);
const BAD_ENVID: CommandError = CommandError::known(
    501,
    (5, 4),
    "ENVID must be printable ASCII in xtext, at most 100 characters",
    Violation::Syntax(SyntaxFault::BadParameter),
);
const BAD_NOTIFY: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: NOTIFY=NEVER or a list of SUCCESS, FAILURE, DELAY",
    Violation::Syntax(SyntaxFault::BadParameter),
);
const BAD_ORCPT: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: ORCPT=type;address in xtext, at most 500 characters",
    Violation::Syntax(SyntaxFault::BadParameter),
);

/// Characters of an ENVID, encoded (RFC 3461 §4.4).
const MAX_ENVID: usize = 100;

/// Characters of an ORCPT parameter, keyword included (RFC 3461 §4.2).
const MAX_ORCPT: usize = 500 - "ORCPT=".len();

/// RET: how much of the message a failure notice should carry (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its headers.
    Hdrs,
}

impl fmt::Display for Ret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Full => "FULL",
            Self::Hdrs => "HDRS",
        })
    }
}

/// NOTIFY: when to tell the sender (RFC 3461 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Under no circumstance.
    Never,
    /// In these; at least one is set. With none it is written as `NEVER`, which means the same.
    On {
        /// Delivered.
        success: bool,
        /// Failed.
        failure: bool,
        /// Late.
        delay: bool,
    },
}

impl Notify {
    /// RFC 3461 §4.1: `notify-esmtp-value = "NEVER" / 1#notify-list-element`,
    /// `notify-list-element = "SUCCESS" / "FAILURE" / "DELAY"`, in any case. A word given twice
    /// counts once. Deviation: no empty elements between commas.
    fn parse(value: &str) -> Option<Self> {
        if value.eq_ignore_ascii_case("NEVER") {
            return Some(Self::Never);
        }
        let (mut success, mut failure, mut delay) = (false, false, false);
        for word in value.split(',') {
            let flag = if word.eq_ignore_ascii_case("SUCCESS") {
                &mut success
            } else if word.eq_ignore_ascii_case("FAILURE") {
                &mut failure
            } else if word.eq_ignore_ascii_case("DELAY") {
                &mut delay
            } else {
                return None;
            };
            *flag = true;
        }
        Some(Self::On { success, failure, delay })
    }
}

impl fmt::Display for Notify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let words = match *self {
            Self::Never => [(false, ""); 3],
            Self::On { success, failure, delay } => {
                [(success, "SUCCESS"), (failure, "FAILURE"), (delay, "DELAY")]
            }
        };
        let mut separator = "";
        for (_, word) in words.iter().filter(|(set, _)| *set) {
            write!(f, "{separator}{word}")?;
            separator = ",";
        }
        if separator.is_empty() { f.write_str("NEVER") } else { Ok(()) }
    }
}

/// ORCPT: the recipient as the first sender wrote it (RFC 3461 §4.2).
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Orcpt<'b> {
    address_type: Cow<'b, str>,
    address: Xtext<'b>,
}

impl<'b> Orcpt<'b> {
    /// Checks the value of the parameter.
    ///
    /// RFC 3461 §4.2: `original-recipient-address = addr-type ";" xtext`, `addr-type = atom`, at
    /// most 500 characters with the keyword; the address, decoded, is printable ASCII. Deviation:
    /// octets over 127 may be encoded in it, as older senders of UTF-8 addresses do; the types
    /// need not be registered. Of RFC 6533's type `utf-8` the forms in ASCII are taken, the one in
    /// raw UTF-8 is not.
    ///
    /// # Errors
    /// [`Malformed`] if it is anything else.
    pub fn parse(value: &'b str) -> Result<Self, Malformed> {
        const BAD: Malformed = Malformed::of("original recipient");
        let (address_type, address) = value.split_once(';').ok_or(BAD)?;
        let address = Xtext::parse(address)?;
        let is_type = address_type.is_ascii() && is_atom(address_type);
        if value.len() > MAX_ORCPT
            || !is_type
            || address.as_str().is_empty()
            || address.octets().any(|octet| octet.is_ascii_control())
        {
            return Err(BAD);
        }
        Ok(Self { address_type: Cow::Borrowed(address_type), address })
    }

    /// The kind of address, such as `rfc822`; compared without case.
    pub fn address_type(&self) -> &str {
        &self.address_type
    }

    /// The address, still encoded.
    pub fn address(&self) -> &Xtext<'b> {
        &self.address
    }

    /// The same parameter, owned.
    pub fn into_static(self) -> Orcpt<'static> {
        Orcpt {
            address_type: Cow::Owned(self.address_type.into_owned()),
            address: self.address.into_static(),
        }
    }
}

impl fmt::Display for Orcpt<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{};{}", self.address_type, self.address)
    }
}

/// RFC 3461 §4.3: FULL or HDRS, in any case.
fn parse_ret<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    mail.ret = Some(match value {
        Some(value) if is_word(value, "FULL") => Ret::Full,
        Some(value) if is_word(value, "HDRS") => Ret::Hdrs,
        _ => return Err(BAD_RET),
    });
    Ok(())
}

/// RFC 3461 §4.4: `envid-parameter = "ENVID=" xtext`; decoded it is printable ASCII, so no ENVID
/// can break a line of a notice.
fn parse_envid<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    let value = value.filter(|value| value.len() <= MAX_ENVID).ok_or(BAD_ENVID)?;
    let envid = Xtext::parse(value).map_err(|_| BAD_ENVID)?;
    let is_encoded = value.as_bytes().contains(&b'+');
    if is_encoded && !envid.octets().all(|octet| matches!(octet, b' '..=b'~')) {
        return Err(BAD_ENVID);
    }
    mail.envid = Some(envid);
    Ok(())
}

fn parse_notify<'b>(
    rcpt: &mut Rcpt<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    rcpt.notify = Some(value.and_then(Notify::parse).ok_or(BAD_NOTIFY)?);
    Ok(())
}

fn parse_orcpt<'b>(
    rcpt: &mut Rcpt<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    let orcpt = Orcpt::parse(value.ok_or(BAD_ORCPT)?).map_err(|_| BAD_ORCPT)?;
    rcpt.orcpt = Some(orcpt);
    Ok(())
}
