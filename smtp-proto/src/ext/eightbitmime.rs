//! 8BITMIME.
use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "8BITMIME",
    offered: |offer| offer.esmtp,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};

/// The BODY parameter of MAIL.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum BodyType {
    /// Lines of ASCII.
    #[default]
    SevenBit,
    /// Lines of octets.
    EightBitMime,
}
