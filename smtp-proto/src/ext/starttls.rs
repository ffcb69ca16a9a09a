//! STARTTLS (RFC 3207): the session goes on inside TLS. Not offered there again (§4.2).

use super::Extension;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "STARTTLS",
    offered: |offer| offer.esmtp && offer.extensions.starttls && !offer.tls,
    announced: |capabilities, _| capabilities.starttls = true,
    ..Extension::DEFAULT
};
