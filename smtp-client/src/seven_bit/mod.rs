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
use entity::{Entity, parts};
use smtp_proto::EnhancedCode;
use thiserror::Error;

/// The largest message that is converted, octets. It is held in memory, and what it becomes beside
/// it.
pub const MAX_SIZE: usize = 32 << 20;

/// Entities within entities.
const MAX_DEPTH: usize = 20;

const ENCODING: &str = "Content-Transfer-Encoding";

/// Why a message cannot be converted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Error)]
#[non_exhaustive]
pub enum Obstacle {
    /// It has more than [`MAX_SIZE`] octets.
    #[error("it has more than {MAX_SIZE} octets")]
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
    if octets.is_ascii() {
        out.extend_from_slice(octets);
        return Ok(());
    }
    if depth > MAX_DEPTH {
        return Err(Obstacle::TooDeep);
    }
    let entity = Entity::parse(octets)?;
    if place == Place::Message && !entity.fields.iter().any(|field| field.is("MIME-Version")) {
        return write_plain(&entity, out);
    }
    let content_type = entity.content_type()?;
    if !entity.is_identity()? {
        return Err(Obstacle::Encoded);
    }
    let media = match &content_type {
        Some(content_type) => (content_type.kind.as_str(), content_type.subtype.as_str()),
        None if place == Place::Digest => ("message", "rfc822"),
        None => ("text", "plain"),
    };
    match (media, &content_type) {
        (("multipart", "signed" | "encrypted"), _) => Err(Obstacle::Signed),
        (("multipart", subtype), Some(content_type)) => {
            let place = if subtype == "digest" { Place::Digest } else { Place::Part };
            write_composite_header(&entity, out);
            write_multipart(entity.body, &content_type.boundary()?, place, depth, out)
        }
        (("message", "rfc822"), _) => {
            write_composite_header(&entity, out);
            write_entity(entity.body, Place::Message, depth + 1, out)
        }
        // RFC 6532 §3.5: these may be encoded, unlike all message types before them.
        (("message", subtype), _) if !subtype.starts_with("global") => Err(Obstacle::MediaType),
        ((kind, _), _) => {
            let encoding = Encoding::of(kind == "text", entity.body);
            write_header(&entity, Some(encoding.name()), out);
            out.extend_from_slice(b"\r\n");
            encoding.write(entity.body, out);
            Ok(())
        }
    }
}

/// A message from before MIME.
fn write_plain(entity: &Entity<'_>, out: &mut Vec<u8>) -> Result<(), Obstacle> {
    if entity.fields.iter().any(|field| field.is_mime()) {
        return Err(Obstacle::NoMimeVersion);
    }
    let charset = if str::from_utf8(entity.body).is_ok() { "utf-8" } else { "unknown-8bit" };
    let encoding = Encoding::of(true, entity.body);
    write_header(entity, None, out);
    let name = encoding.name();
    let mime = format!(
        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset={charset}\r\n{ENCODING}: {name}\r\n\r\n"
    );
    out.extend_from_slice(mime.as_bytes());
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
    for part in parts(body, boundary)? {
        write_between(&body[written..part.start], out)?;
        write_entity(&body[part.clone()], place, depth + 1, out)?;
        written = part.end;
    }
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

/// Writes the header of an entity that consists of others, and the empty line: nothing in it is
/// 8-bit any more.
fn write_composite_header(entity: &Entity<'_>, out: &mut Vec<u8>) {
    let says_so = entity.fields.iter().any(|field| field.is(ENCODING));
    write_header(entity, says_so.then_some("7bit"), out);
    out.extend_from_slice(b"\r\n");
}

/// Writes the fields with this encoding, in the place of the one before.
fn write_header(entity: &Entity<'_>, encoding: Option<&str>, out: &mut Vec<u8>) {
    let mut encoding = encoding.map(|encoding| format!("{ENCODING}: {encoding}\r\n"));
    for field in &entity.fields {
        let replaced = if field.is(ENCODING) { encoding.take() } else { None };
        out.extend_from_slice(replaced.as_ref().map_or(field.octets, |field| field.as_bytes()));
    }
    out.extend(encoding.unwrap_or_default().bytes());
}
