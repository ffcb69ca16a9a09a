//! SIZE (RFC 1870): the server says how long a message may be, the client how long it is. Always
//! offered.

use super::{Extension, MailParam, Offer};
use crate::{
    client::Capabilities,
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail},
};
use alloc::{format, vec::Vec};
use core::num::IntErrorKind;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "SIZE",
    offered: |offer| offer.esmtp,
    ehlo_params,
    mail: &[MailParam { keyword: "SIZE", parse }],
    announced,
    has: |capabilities| capabilities.size,
    used_by_mail: |mail| mail.size.is_some(),
    ..Extension::DEFAULT
};

const BAD_SIZE: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: SIZE=octets",
    Violation::Syntax(SyntaxFault::BadParameter),
);
const TOO_LARGE: CommandError = CommandError::known(
    552,
    (3, 4),
    "Message size exceeds the maximum",
    Violation::MessageTooLarge,
);

/// RFC 1870 §4: `size-param ::= [1*DIGIT]`, the largest message in octets.
fn ehlo_params(offer: &Offer<'_>, out: &mut Vec<u8>) {
    out.extend_from_slice(format!(" {}", offer.limits.message).as_bytes());
}

/// RFC 1870 §4: no number, or 0, says that no limit is known; nor does a number over 64 bits.
fn announced(capabilities: &mut Capabilities, params: &str) {
    let digits = params.trim();
    if digits.len() <= 20 && digits.bytes().all(|b| b.is_ascii_digit()) {
        capabilities.size = true;
        capabilities.max_size = digits.parse().ok().filter(|&size| size > 0);
    }
}

/// RFC 1870 §3(4): `size-value ::= 1*20DIGIT`. What twenty digits can say and 64 bits cannot is
/// over any limit (§6.1).
fn parse<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    offer: &Offer<'_>,
) -> Result<(), CommandError> {
    let digits = value.ok_or(BAD_SIZE)?;
    if digits.len() > 20 || digits.starts_with('+') {
        return Err(BAD_SIZE);
    }
    match digits.parse() {
        Ok(size) if size <= offer.limits.message => mail.size = Some(size),
        Err(error) if *error.kind() != IntErrorKind::PosOverflow => return Err(BAD_SIZE),
        _ => return Err(TOO_LARGE),
    }
    Ok(())
}
