//! EXPN: shows the members of a list. A command that RFC 5321 has itself; §3.5.2 wants it listed
//! where it is supported.

use super::Extension;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "EXPN",
    offered: |offer| offer.esmtp && offer.extensions.expn,
    ..Extension::DEFAULT
};
