//! The octets of a message, behind its envelope: by DATA (RFC 5321 §4.1.1.4) or BDAT (RFC 3030 §2).

use crate::{
    body::{Body, Chunk, Source},
    connection::Connection,
    delivery::content,
    outcome::{Failure, Stage},
    policy::Said,
    transaction::{Command, Transaction, drain, last_words, over, step},
};
use smtp_driver::{Runtime, Stream, client::LinkError};
use smtp_proto::{
    CloseReason, Misuse,
    body::{ContentFault, Encoder, Framing},
};

/// Pieces of one BDAT: each line ending that is not CRLF ends one.
const PIECES: usize = 1_024;

/// The longest message that is sent before the server has taken a recipient, octets.
const UNASKED: usize = 64 << 10;

/// DATA and what follows it (RFC 5321 §4.1.1.4).
pub(crate) async fn send_data<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    source: &mut Source<B>,
) -> Result<(), Failure> {
    while !transaction.is_over() {
        match conn.link.machine().data() {
            Ok(id) => {
                conn.show(Said::Client(format_args!("DATA")));
                transaction.open.push_back((id, Command::Data));
                break;
            }
            Err(Misuse::Full) => {
                step(conn, transaction).await?;
            }
            Err(Misuse::Closed) => return Err(over(conn, transaction, CloseReason::Eof).await),
            // There is no recipient left to give.
            Err(_) => return Ok(()),
        }
    }
    drain(conn, transaction).await?;
    if !transaction.wanted {
        return Ok(());
    }
    transaction.stage = Stage::Data;
    loop {
        let Chunk { octets, last } = source.chunk();
        conn.show(Said::Body(octets.len() as u64));
        if last {
            transaction.handed_over = true;
            let written = conn.link.end_body(octets).await;
            let id = written_or(conn, transaction, written).await?;
            transaction.open.push_back((id, Command::End));
            return Ok(());
        }
        let written = conn.link.write_body(octets).await;
        written_or(conn, transaction, written).await?;
        advance(conn, source).await?;
    }
}

/// Sends the message in chunks. A short one leaves together with the envelope, where the server
/// offers PIPELINING; a long one waits until somebody wants it, and each chunk for the reply to the
/// one before.
pub(crate) async fn send_chunks<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    source: &mut Source<B>,
    eight_bit: bool,
) -> Result<(), Failure> {
    let Chunk { octets, last } = source.chunk();
    if !last || octets.len() > UNASKED {
        drain(conn, transaction).await?;
    }
    let line_endings = conn.policy.machine.line_endings();
    let mut encoder = Encoder::new(Framing::Chunked, line_endings, eight_bit);
    loop {
        let Chunk { octets, last } = source.chunk();
        let mut rest = octets;
        while last || !rest.is_empty() {
            let (pieces, ends) = match next_pieces(&mut encoder, &mut rest, last) {
                Ok(pieces) => pieces,
                Err(fault) => {
                    conn.link.machine().abort();
                    return Err(content(conn, Stage::Data, fault));
                }
            };
            if !pieces.is_empty() {
                send_chunk(conn, transaction, &pieces, ends).await?;
            }
            if ends || transaction.is_over() {
                return Ok(());
            }
        }
        advance(conn, source).await?;
    }
}

/// The pieces of the next chunk, from the front of `octets`; whether it ends the message, which
/// then has at least one piece.
fn next_pieces<'b>(
    encoder: &mut Encoder,
    octets: &mut &'b [u8],
    last: bool,
) -> Result<(Vec<&'b [u8]>, bool), ContentFault> {
    let mut pieces = Vec::new();
    let mut some = [&[][..]; 64];
    while !octets.is_empty() && pieces.len() < PIECES {
        let n = encoder.encode(octets, &mut some)?;
        pieces.extend_from_slice(&some[..n]);
    }
    let ends = last && octets.is_empty();
    if ends {
        pieces.push(encoder.clone().finish()?);
    }
    Ok((pieces, ends))
}

/// A BDAT, unless nobody wants it any more; one that does not end the message has its reply then.
async fn send_chunk<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    pieces: &[&[u8]],
    ends: bool,
) -> Result<(), Failure> {
    if transaction.is_over() {
        return Ok(());
    }
    let mut begun = conn.link.begin_chunk(pieces, ends);
    if let Err(LinkError::Misuse(Misuse::NotNow | Misuse::Full)) = begun {
        // It could not leave together with the envelope.
        drain(conn, transaction).await?;
        if transaction.is_over() {
            return Ok(());
        }
        begun = conn.link.begin_chunk(pieces, ends);
    }
    let id = written_or(conn, transaction, begun).await?;
    let size = pieces.iter().map(|piece| piece.len() as u64).sum();
    let end = if ends { " LAST" } else { "" };
    conn.show(Said::Client(format_args!("BDAT {size}{end}")));
    conn.show(Said::Body(size));
    let command = if ends { Command::End } else { Command::Chunk };
    // It may be refused before its octets have left.
    transaction.open.push_back((id, command));
    (transaction.handed_over, transaction.unwritten) = (ends, true);
    let written = conn.link.write_octets(pieces).await;
    written_or(conn, transaction, written).await?;
    transaction.unwritten = false;
    if !ends {
        drain(conn, transaction).await?;
    }
    Ok(())
}

/// The next chunk; a message that cannot be read to its end is given up.
async fn advance<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    source: &mut Source<B>,
) -> Result<(), Failure> {
    if let Err(error) = source.advance().await {
        conn.link.machine().abort();
        return Err(conn.unreadable(Stage::Data, &error));
    }
    Ok(())
}

/// What was written; or why not, in the server's own words if it has said any.
async fn written_or<S: Stream, R: Runtime, T>(
    conn: &mut Connection<S, R>,
    transaction: &mut Transaction,
    written: Result<T, LinkError>,
) -> Result<T, Failure> {
    let failure = match written {
        Ok(value) => return Ok(value),
        Err(LinkError::Closed(why)) => over(conn, transaction, why).await,
        Err(LinkError::Misuse(Misuse::Content(fault))) => {
            conn.link.machine().abort();
            content(conn, Stage::Data, fault)
        }
        Err(error) => {
            let broken = conn.broken(transaction.stage(), error);
            last_words(conn, transaction).await.unwrap_or(broken)
        }
    };
    Err(failure)
}
