//! The octets of a message, written from where they are.

use super::link::{ClientLink, HALF_DONE, LinkError};
use crate::{pump::Pieces, runtime::Runtime, stream::Stream};
use smtp_proto::{Misuse, Step, client::CommandId};
use std::{
    future::poll_fn,
    task::{Context, Poll},
};

/// Pieces that the machine hands out at once. Each stuffed dot ends one.
const PIECES: usize = 60;

impl<S: Stream, R: Runtime> ClientLink<S, R> {
    /// Writes octets of the message that a 354 asked for, and reads what the server says
    /// meanwhile. They leave as they are, from `chunk`, with the dots of RFC 5321 §4.5.2 between
    /// them; no piece is copied, but into TLS.
    ///
    /// If the future is dropped, nobody knows how much of `chunk` has left: the link is of no more
    /// use.
    ///
    /// # Errors
    /// [`LinkError::Closed`] when the server ends the connection, or says something before the end
    /// of the message, which ends it, too. [`Misuse::Content`] for octets that may not be sent:
    /// [`abort`](smtp_proto::client::ClientConnection::abort) then. [`LinkError::Io`],
    /// [`LinkError::Tls`]. What the server said before any of them is still to be had by
    /// [`next`](Self::next).
    pub async fn write_body(&mut self, chunk: &[u8]) -> Result<(), LinkError> {
        let mut rest = chunk;
        let mut pieces = [&[][..]; PIECES];
        while !rest.is_empty() {
            let n = self.hand_out(&mut rest, &mut pieces)?;
            self.write_pieces(&pieces[..n]).await?;
        }
        // A server that takes everything is heard here.
        poll_fn(|cx| Poll::Ready(self.listen(cx))).await
    }

    /// Writes the last octets of the message, maybe none, and its end in the same write. The id is
    /// that of the reply to come.
    ///
    /// If the future is dropped, the link is of no more use.
    ///
    /// # Errors
    /// Those of [`write_body`](Self::write_body).
    pub async fn end_body(&mut self, last: &[u8]) -> Result<CommandId, LinkError> {
        let mut rest = last;
        let mut pieces = [&[][..]; PIECES];
        loop {
            let n = match rest {
                [] => 0,
                _ => self.hand_out(&mut rest, &mut pieces)?,
            };
            if rest.is_empty() {
                let ended = self.machine.end_body();
                let id = self.done(ended)?;
                self.write_pieces(&pieces[..n]).await?;
                return Ok(id);
            }
            self.write_pieces(&pieces[..n]).await?;
        }
    }

    /// Writes a BDAT command (RFC 3030) and its octets, which are all of `pieces`, together with
    /// the commands that still wait. They must be lines that end in CRLF, as an
    /// [`Encoder`](smtp_proto::body::Encoder) makes them; a line may go on in the next chunk.
    /// The id is that of the reply to come.
    ///
    /// If the future is dropped, the link is of no more use.
    ///
    /// # Errors
    /// Those of [`write_body`](Self::write_body); [`Misuse::NotNow`] while the command could not
    /// leave at once, and [`Misuse::NotOffered`] where CHUNKING is not.
    pub async fn write_chunk(
        &mut self,
        pieces: &[&[u8]],
        last: bool,
    ) -> Result<CommandId, LinkError> {
        let id = self.begin_chunk(pieces, last)?;
        self.write_octets(pieces).await?;
        Ok(id)
    }

    /// The first half of [`write_chunk`](Self::write_chunk): gives the command, whose id you know
    /// then before the server can refuse it. [`write_octets`](Self::write_octets) comes next.
    ///
    /// # Errors
    /// [`LinkError::Closed`], [`Misuse::NotNow`] and [`Misuse::NotOffered`], as there.
    pub fn begin_chunk(&mut self, pieces: &[&[u8]], last: bool) -> Result<CommandId, LinkError> {
        let size = pieces.iter().map(|piece| piece.len() as u64).sum();
        let given = self.machine.bdat(size, last);
        self.done(given)
    }

    /// The second half: the command leaves, and its octets with it.
    ///
    /// If the future is dropped, the link is of no more use.
    ///
    /// # Errors
    /// [`LinkError::Closed`], [`LinkError::Io`], [`LinkError::Tls`], as there.
    pub async fn write_octets(&mut self, pieces: &[&[u8]]) -> Result<(), LinkError> {
        self.write_pieces(pieces).await
    }

    fn hand_out<'b>(
        &mut self,
        chunk: &mut &'b [u8],
        pieces: &mut [&'b [u8]],
    ) -> Result<usize, LinkError> {
        let handed_out = self.machine.body(chunk, pieces);
        self.done(handed_out)
    }

    /// Says why the connection is over, where the machine only says that it is.
    fn done<T>(&mut self, given: Result<T, Misuse>) -> Result<T, LinkError> {
        given.map_err(|misuse| match (misuse, self.event()) {
            (Misuse::Closed, Step::Closed(why)) => LinkError::Closed(why),
            _ => misuse.into(),
        })
    }

    async fn write_pieces(&mut self, pieces: &[&[u8]]) -> Result<(), LinkError> {
        let mut pieces = Pieces::new(pieces);
        self.torn = Some(HALF_DONE);
        poll_fn(|cx| self.poll_write_pieces(cx, &mut pieces)).await?;
        self.torn = None;
        Ok(())
    }

    fn poll_write_pieces(
        &mut self,
        cx: &mut Context<'_>,
        pieces: &mut Pieces<'_>,
    ) -> Poll<Result<(), LinkError>> {
        loop {
            let wrote = self.pump.poll_write_body(cx, &mut self.machine, pieces);
            if let Poll::Ready(Err(e)) = wrote {
                return Poll::Ready(Err(self.write_failed(cx, e)));
            }
            if wrote.is_ready() && pieces.is_empty() {
                return Poll::Ready(Ok(()));
            }
            self.listen(cx)?;
            if wrote.is_pending() && !self.poll_timer(cx) {
                return Poll::Pending;
            }
        }
    }

    /// Takes in what the server has said by now. Its replies to earlier commands are kept for
    /// [`next`](Self::next); there are at most as many as the machine lets commands be open.
    fn listen(&mut self, cx: &mut Context<'_>) -> Result<(), LinkError> {
        loop {
            match self.event() {
                Step::Event(event) => self.early.push_back(event),
                Step::Closed(why) => return Err(LinkError::Closed(why)),
                Step::Need(_) if self.poll_read(cx)?.is_ready() => {}
                Step::Need(_) => return Ok(()),
            }
        }
    }
}
