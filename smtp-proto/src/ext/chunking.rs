//! CHUNKING (RFC 3030): BDAT sends a message in chunks of known size.

use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "CHUNKING",
    offered: |offer| offer.esmtp && offer.extensions.chunking,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
