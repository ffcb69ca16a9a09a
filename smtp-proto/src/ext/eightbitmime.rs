//! 8BITMIME (RFC 6152): a message may have octets over 127. Always offered.

use super::{Extension, MailParam, Offer, binarymime, is_word};
use crate::{
    violation::{SyntaxFault, Violation},
    wire::{CommandError, Mail},
};
use core::fmt;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "8BITMIME",
    offered: |offer| offer.esmtp,
    mail: &[MailParam { keyword: "BODY", parse }],
    announced: |capabilities, _| capabilities.eight_bit_mime = true,
    has: |capabilities| capabilities.eight_bit_mime,
    used_by_mail: |mail| mail.body == BodyType::EightBitMime,
    ..Extension::DEFAULT
};

const BAD_BODY: CommandError = CommandError::known(
    501,
    (5, 4),
    "Syntax: BODY=7BIT or BODY=8BITMIME",
    Violation::Syntax(SyntaxFault::BadParameter),
);
/// RFC 3030 §3 defines the value; RFC 5321 §4.2.3: 504, command parameter not implemented.
const NO_BINARYMIME: CommandError = CommandError::known(
    504,
    (5, 4),
    "BINARYMIME is not offered",
    Violation::Syntax(SyntaxFault::UnknownParameter),
);

/// The BODY parameter of MAIL: what octets the message is made of.
///
/// It binds the sender only: the server passes every octet on, whatever was announced (RFC 6152
/// §3), and remembers this for the next server on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyType {
    /// `7BIT`: lines of ASCII. What a MAIL without BODY means, hence never written.
    #[default]
    SevenBit,
    /// `8BITMIME`: lines of octets.
    EightBitMime,
    /// `BINARYMIME` (RFC 3030 §3): octets, with or without lines. Only BDAT carries them.
    BinaryMime,
}

impl fmt::Display for BodyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SevenBit => "7BIT",
            Self::EightBitMime => "8BITMIME",
            Self::BinaryMime => "BINARYMIME",
        })
    }
}

/// RFC 6152 §2: `body-value ::= "7BIT" / "8BITMIME"`, RFC 3030 §3: `/ "BINARYMIME"`, in any case (RFC
/// 5321 §2.4).
fn parse<'b>(
    mail: &mut Mail<'b>,
    value: Option<&'b str>,
    offer: &Offer<'_>,
) -> Result<(), CommandError> {
    mail.body = match value {
        Some(value) if is_word(value, "7BIT") => BodyType::SevenBit,
        Some(value) if is_word(value, "8BITMIME") => BodyType::EightBitMime,
        Some(value) if is_word(value, "BINARYMIME") => {
            if !(binarymime::EXTENSION.offered)(offer) {
                return Err(NO_BINARYMIME);
            }
            BodyType::BinaryMime
        }
        _ => return Err(BAD_BODY),
    };
    Ok(())
}
