//! A message in 7-bit octets, for a server that takes no others (RFC 6152 §3).
//!
//! The structure of the message stays, and what its parts are once decoded. Of a part that has
//! 8-bit octets, the body is encoded and the `Content-Transfer-Encoding` replaced; all other octets
//! stay as they are. A part without any stays altogether.
//!
//! A DKIM signature is over the encoded body (RFC 6376 §3.4), which it does not survive: convert
//! before signing where you can. Signatures inside the message are kept, in that a signed part is
//! never converted.

mod encoding;
mod entity;

use encoding::Encoding;
use entity::{Entity, each_part};
use smtp_proto::EnhancedCode;
use thiserror::Error;

/// The largest message that is converted, octets. It is held in memory, and beside it what it
/// becomes, which is given up at about twice this size.
pub const MAX_SIZE: usize = 32 << 20;

/// Entities within entities.
const MAX_DEPTH: usize = 20;

const ENCODING: &str = "Content-Transfer-Encoding";

/// Why a message cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// It has more than [`MAX_SIZE`] octets, or becomes more than twice that.
    #[error("it has more than {MAX_SIZE} octets, or would become more than twice that")]
    TooLarge,
    /// A line end is not CRLF, so that not everybody sees the same lines.
    #[error("it has a bare CR or LF")]
    LineEnding,
    /// A header field has 8-bit octets: it needs SMTPUTF8 (RFC 6532 §3.2), or is wrong.
    #[error("a header field has 8-bit octets")]
    Header,
    /// A header, or a field of it that matters, is not what RFC 5322 and RFC 2045 know.
    #[error("a header is malformed")]
    Malformed,
    /// There are MIME header fields, and no MIME-Version that would make them count (RFC 2045 §4).
    #[error("it has MIME header fields without MIME-Version")]
    NoMimeVersion,
    /// 8-bit octets are in a body that is already encoded, or whose encoding is unknown.
    #[error("a part has 8-bit octets in spite of its Content-Transfer-Encoding")]
    Encoded,
    /// 8-bit octets are in a signed or encrypted multipart, of which no octet may change (RFC 1847).
    #[error("the 8-bit octets are signed or encrypted")]
    Signed,
    /// 8-bit octets are in a part that must not be encoded (RFC 2046 §5.2).
    #[error("a part of its type cannot be encoded")]
    MediaType,
    /// 8-bit octets are before the first part of a multipart, or behind the last.
    #[error("there are 8-bit octets between its parts")]
    BetweenParts,
    /// The boundary lines of a multipart can be read in more than one way.
    #[error("the boundaries of its parts are wrong")]
    Boundary,
    /// Parts are in parts, more than 20 deep.
    #[error("its parts are nested too deeply")]
    TooDeep,
}

impl Obstacle {
    /// 5.6.7 if only SMTPUTF8 could help, else 5.6.3 (RFC 3463 §3.7, RFC 6531 §4.3).
    #[must_use]
    pub fn enhanced(self) -> EnhancedCode {
        match self {
            Self::Header => EnhancedCode::permanent(6, 7),
            _ => EnhancedCode::permanent(6, 3),
        }
    }
}

/// Converts a message, whose lines end in CRLF; one of 7-bit octets stays as it is.
///
/// Text becomes quoted-printable if that is the shorter encoding, all else base64. A message that
/// knows nothing of MIME becomes text (RFC 1428 §3): in UTF-8 if that is what its octets are, else
/// in `unknown-8bit`.
///
/// # Errors
/// [`Obstacle`]: it cannot be converted such that every reader sees the same in it as before.
pub fn convert(message: &[u8]) -> Result<Vec<u8>, Obstacle> {
    if message.len() > MAX_SIZE {
        return Err(Obstacle::TooLarge);
    }
    if has_bare_line_end(message) {
        return Err(Obstacle::LineEnding);
    }
    let mut out = Vec::with_capacity(message.len());
    write_entity(message, Place::Message, 0, &mut out)?;
    Ok(out)
}

fn has_bare_line_end(octets: &[u8]) -> bool {
    memchr::memchr2_iter(b'\r', b'\n', octets).any(|at| match octets[at] {
        b'\r' => octets.get(at + 1) != Some(&b'\n'),
        _ => !octets[..at].ends_with(b"\r"),
    })
}

/// Where an entity is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    /// It is a message by itself, or all that is in a message/rfc822.
    Message,
    /// It is a part of a multipart.
    Part,
    /// It is a part of a multipart/digest, so a message/rfc822 unless it says otherwise (RFC 2046
    /// §5.1.5).
    Digest,
}

fn write_entity(
    octets: &[u8],
    place: Place,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Obstacle> {
    let is_ascii = octets.is_ascii();
    if is_ascii && depth == 0 {
        out.extend_from_slice(octets);
        return Ok(());
    }
    // Parts of a few octets, each with a new header field.
    if out.len() > 2 * MAX_SIZE {
        return Err(Obstacle::TooLarge);
    }
    if depth > MAX_DEPTH {
        return Err(Obstacle::TooDeep);
    }
    let entity = Entity::parse(octets)?;
    let has_mime = place != Place::Message || entity.has("MIME-Version");
    if !is_ascii && !has_mime {
        return write_plain(&entity, out);
    }
    let content_type = entity.content_type()?;
    let is_identity = entity.is_identity()?;
    let media = match &content_type {
        Some(content_type) => (content_type.kind.as_str(), content_type.subtype.as_str()),
        None if place == Place::Digest => ("message", "rfc822"),
        None => ("text", "plain"),
    };
    match (media, &content_type) {
        _ if !is_identity && !is_ascii => Err(Obstacle::Encoded),
        (("multipart", "signed" | "encrypted"), _) if !is_ascii => Err(Obstacle::Signed),
        // Also one that stays: if it does not end by itself, readers may differ on where it does.
        (("multipart", subtype), Some(content_type)) if is_identity => {
            let place = if subtype == "digest" { Place::Digest } else { Place::Part };
            write_composite_head(&entity, is_ascii, out);
            write_multipart(entity.body, &content_type.boundary()?, place, depth, out)
        }
        (("message", "rfc822"), _) if is_identity => {
            write_composite_head(&entity, is_ascii, out);
            write_entity(entity.body, Place::Message, depth + 1, out)
        }
        _ if is_ascii => {
            out.extend_from_slice(octets);
            Ok(())
        }
        // RFC 6532 §3.5: these may be encoded, unlike all message types before them.
        (("message", subtype), _) if !subtype.starts_with("global") => Err(Obstacle::MediaType),
        ((kind, _), _) => {
            let encoding = Encoding::of(kind == "text", entity.body);
            write_head(&entity, encoding.name(), out);
            encoding.write(entity.body, out);
            Ok(())
        }
    }
}

/// A message from before MIME.
fn write_plain(entity: &Entity<'_>, out: &mut Vec<u8>) -> Result<(), Obstacle> {
    if entity.fields().any(|field| field.is_mime()) {
        return Err(Obstacle::NoMimeVersion);
    }
    let charset = if str::from_utf8(entity.body).is_ok() { "utf-8" } else { "unknown-8bit" };
    let encoding = Encoding::of(true, entity.body);
    entity.fields().for_each(|field| out.extend_from_slice(field.octets));
    let mime = format!("MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n");
    out.extend_from_slice(mime.as_bytes());
    out.extend_from_slice(format!("{ENCODING}: {}\r\n\r\n", encoding.name()).as_bytes());
    encoding.write(entity.body, out);
    Ok(())
}

fn write_multipart(
    body: &[u8],
    boundary: &str,
    place: Place,
    depth: usize,
    out: &mut Vec<u8>,
) -> Result<(), Obstacle> {
    let mut written = 0;
    each_part(body, boundary, &mut |part| {
        write_between(&body[written..part.start], out)?;
        written = part.end;
        write_entity(&body[part], place, depth + 1, out)
    })?;
    write_between(&body[written..], out)
}

/// Writes what is in no part.
fn write_between(octets: &[u8], out: &mut Vec<u8>) -> Result<(), Obstacle> {
    if !octets.is_ascii() {
        return Err(Obstacle::BetweenParts);
    }
    out.extend_from_slice(octets);
    Ok(())
}

/// Writes the head of an entity that consists of others, which are all 7-bit by now.
fn write_composite_head(entity: &Entity<'_>, is_ascii: bool, out: &mut Vec<u8>) {
    match !is_ascii && entity.has(ENCODING) {
        true => write_head(entity, "7bit", out),
        false => out.extend_from_slice(entity.head),
    }
}

/// Writes the header with this encoding, in the place of the one before, and the empty line.
fn write_head(entity: &Entity<'_>, encoding: &str, out: &mut Vec<u8>) {
    let encoding = format!("{ENCODING}: {encoding}\r\n");
    for field in entity.fields() {
        let is_encoding = field.is(ENCODING);
        out.extend_from_slice(if is_encoding { encoding.as_bytes() } else { field.octets });
    }
    if !entity.has(ENCODING) {
        out.extend_from_slice(encoding.as_bytes());
    }
    out.extend_from_slice(b"\r\n");
}
