//! PIPELINING (RFC 2920): commands may follow one another without waiting for replies. Always offered.

use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "PIPELINING",
    offered: |offer| offer.esmtp,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
