//! Our reader of replies beside those of others: the code of the first reply, and its length.

use crate::{Difference, Facts, Outcome};
use smtp_codec::parse::response::Reply_line;
use smtp_proto::wire::{Received, ReplyReader};
use stalwart::response::parser::ResponseReceiver;

/// Where a peer differs from us about the first reply in `wire`.
///
/// Nothing is compared that is over 500 octets, for each has bounds of its own.
#[must_use]
pub fn reply_differences(wire: &[u8]) -> Vec<Difference> {
    if wire.len() > 500 {
        return Vec::new();
    }
    let ours = ours(wire);
    let theirs = [("smtp-proto", stalwart(wire)), ("smtp-codec", codec(wire))];
    let theirs = theirs.into_iter().filter(|(_, theirs)| *theirs != ours);
    theirs
        .map(|(peer, theirs)| Difference { peer, line: wire.to_vec(), ours: ours.clone(), theirs })
        .collect()
}

fn taken(code: u16, length: usize) -> Outcome {
    let code = format!("{code:03}");
    Outcome::Taken(Facts::from([("code", code), ("length", length.to_string())]))
}

fn ours(wire: &[u8]) -> Outcome {
    let mut unread = wire;
    match ReplyReader::new().next(&mut unread, usize::MAX) {
        Received::Whole(reply) => taken(reply.code(), wire.len() - unread.len()),
        _ => Outcome::Refused,
    }
}

fn stalwart(wire: &[u8]) -> Outcome {
    let mut unread = wire.iter();
    match ResponseReceiver::default().parse(&mut unread) {
        Ok(response) => taken(response.code, wire.len() - unread.len()),
        Err(_) => Outcome::Refused,
    }
}

fn codec(wire: &[u8]) -> Outcome {
    match Reply_line(wire) {
        Ok((_, reply)) => {
            let last = reply.trim_ascii_end().rsplit(|octet| *octet == b'\n').next();
            let code = last.and_then(|line| line.get(..3));
            let code = code.and_then(|code| str::from_utf8(code).ok()?.parse().ok());
            code.map_or(Outcome::Refused, |code| taken(code, reply.len()))
        }
        Err(_) => Outcome::Refused,
    }
}
