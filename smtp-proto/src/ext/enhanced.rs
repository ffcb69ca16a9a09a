//! ENHANCEDSTATUSCODES (RFC 2034): replies carry the codes of RFC 3463. Always offered.

use super::Extension;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "ENHANCEDSTATUSCODES",
    offered: |offer| offer.esmtp,
    announced: |capabilities, _| capabilities.enhanced_status_codes = true,
    ..Extension::DEFAULT
};
