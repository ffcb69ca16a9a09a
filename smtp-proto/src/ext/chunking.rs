//! CHUNKING.
use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "CHUNKING",
    offered: |offer| offer.esmtp,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
