//! AUTH.
use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "AUTH",
    offered: |offer| offer.esmtp,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
use crate::wire::Xtext;

/// The AUTH parameter of MAIL (RFC 4954 §5): who submitted the message first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AuthParam<'b> {
    /// `<>`: nobody whom the peer trusts.
    Unknown,
    /// A mailbox, still encoded.
    Mailbox(Xtext<'b>),
}
