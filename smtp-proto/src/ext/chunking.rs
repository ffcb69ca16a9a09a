//! CHUNKING (RFC 3030): BDAT sends a message in chunks of known size.

use super::Extension;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "CHUNKING",
    offered: |offer| offer.esmtp && offer.extensions.chunking,
    announced: |capabilities, _| capabilities.chunking = true,
    ..Extension::DEFAULT
};
