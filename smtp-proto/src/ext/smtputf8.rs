//! SMTPUTF8 (RFC 6531): addresses and headers may be in UTF-8.

use super::{Extension, MailParam, Offer};
use crate::{
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail},
};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "SMTPUTF8",
    offered: |offer| offer.esmtp && offer.extensions.smtputf8,
    mail: &[MailParam { keyword: "SMTPUTF8", parse }],
    announced: |capabilities, _| capabilities.smtputf8 = true,
    has: |capabilities| capabilities.smtputf8,
    used_by_mail: |mail| mail.smtputf8,
    ..Extension::DEFAULT
};

const HAS_VALUE: CommandError = CommandError::known(
    501,
    (5, 4),
    "SMTPUTF8 takes no value",
    Violation::Syntax(SyntaxFault::BadParameter),
);

/// RFC 6531 §3.4: the parameter must not have a value.
fn parse<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    mail.smtputf8 = true;
    value.map_or(Ok(()), |_| Err(HAS_VALUE))
}
