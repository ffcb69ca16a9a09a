//! STARTTLS (RFC 3207): the session goes on inside TLS. Not offered there again (§4.2).

use super::{Extension, no_ehlo_params};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "STARTTLS",
    offered: |offer| offer.esmtp && offer.extensions.starttls && !offer.tls,
    ehlo_params: no_ehlo_params,
    mail: &[],
    rcpt: &[],
};
