//! DSN.
use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "DSN",
    offered: |offer| offer.esmtp,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
use crate::wire::Xtext;
use alloc::borrow::Cow;

/// RET: how much of the message a failure notice should carry (RFC 3461 §4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Ret {
    /// All of it.
    Full,
    /// Its headers.
    Hdrs,
}

/// NOTIFY: when to tell the sender (RFC 3461 §4.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Notify {
    /// Under no circumstance.
    Never,
    /// In these; at least one is set.
    On {
        /// Delivered.
        success: bool,
        /// Failed.
        failure: bool,
        /// Late.
        delay: bool,
    },
}

/// ORCPT: the recipient as the first sender wrote it (RFC 3461 §4.2).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Orcpt<'b> {
    /// The kind of address, such as `rfc822`.
    pub address_type: Cow<'b, str>,
    /// The address, still encoded.
    pub address: Xtext<'b>,
}
