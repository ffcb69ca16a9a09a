//! BINARYMIME (RFC 3030 §3): a message may have any octets, and comes by BDAT only. Its value of BODY
//! is parsed with the others, in `eightbitmime`.

use super::{BodyType, Extension};

pub(super) static EXTENSION: Extension = Extension {
    keyword: "BINARYMIME",
    // §3: a server that offers it offers CHUNKING, too.
    offered: |offer| offer.esmtp && offer.extensions.binarymime && offer.extensions.chunking,
    announced: |capabilities, _| capabilities.binary_mime = true,
    has: |capabilities| capabilities.binary_mime && capabilities.chunking,
    used_by_mail: |mail| mail.body == BodyType::BinaryMime,
    ..Extension::DEFAULT
};
