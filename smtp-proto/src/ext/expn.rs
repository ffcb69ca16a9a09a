//! EXPN: shows the members of a list. A command that RFC 5321 has itself; §3.5.2 wants it listed
//! where it is supported.

use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "EXPN",
    offered: |offer| offer.esmtp && offer.extensions.expn,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
