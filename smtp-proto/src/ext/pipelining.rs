//! PIPELINING (RFC 2920): commands may follow one another without waiting for replies. Always offered.

use super::Extension;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "PIPELINING",
    offered: |offer| offer.esmtp,
    announced: |capabilities, _| capabilities.pipelining = true,
    ..Extension::DEFAULT
};
