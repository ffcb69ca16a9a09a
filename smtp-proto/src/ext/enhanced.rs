//! ENHANCEDSTATUSCODES (RFC 2034): replies carry the codes of RFC 3463. Always offered.

use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "ENHANCEDSTATUSCODES",
    offered: |offer| offer.esmtp,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
