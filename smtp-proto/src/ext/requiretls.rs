//! REQUIRETLS (RFC 8689): the message is passed on inside TLS, or not at all. Offered under TLS only.

use super::{Extension, MailParam, Offer};
use crate::{
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail},
};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "REQUIRETLS",
    // §2 wants the offer behind STARTTLS; in front of it the wish would be broken already.
    offered: |offer| offer.esmtp && offer.tls && offer.extensions.requiretls,
    mail: &[MailParam { keyword: "REQUIRETLS", parse }],
    announced: |capabilities, _| capabilities.require_tls = true,
    has: |capabilities| capabilities.require_tls,
    used_by_mail: |mail| mail.require_tls,
    ..Extension::DEFAULT
};

const HAS_VALUE: CommandError = CommandError::known(
    501,
    (5, 4),
    "REQUIRETLS takes no value",
    Violation::Syntax(SyntaxFault::BadParameter),
);

/// RFC 8689 §2(8): `requiretls-param = "REQUIRETLS"`, without a value.
fn parse<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    _: &Offer<'_>,
) -> Result<(), CommandError> {
    mail.require_tls = true;
    value.map_or(Ok(()), |_| Err(HAS_VALUE))
}
