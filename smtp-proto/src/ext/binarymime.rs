//! BINARYMIME (RFC 3030): a message may have any octets, sent by BDAT. No server here offers it.

use super::Extension;

pub(super) static EXTENSION: Extension = Extension {
    keyword: "BINARYMIME",
    announced: |capabilities, _| capabilities.binary_mime = true,
    ..Extension::DEFAULT
};
