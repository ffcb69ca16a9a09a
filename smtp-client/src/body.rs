//! The octets of a message, wherever they come from.

use bytes::Bytes;
use smtp_proto::body::{ContentFault, Encoder, Framing, LineEndings};
#[cfg(any(feature = "tokio", feature = "smol"))]
use std::task::ready;
use std::{
    future::poll_fn,
    io,
    task::{Context, Poll},
};

/// A message to be read piece by piece, so that its size does not matter.
///
/// Its lines are sent as they are, however long: a server need not take more than 1,000 octets with
/// the CRLF (RFC 5321 §4.5.3.1.6), and refuses more or breaks them. Only a message that is
/// [converted](crate::EightBit::Convert) has short lines in the parts that needed it.
///
/// Octets in memory are one already, by [`IntoBody`]; each runtime has one for its readers and
/// files.
pub trait Body: Send {
    /// Reads the next octets, in place of those that [`chunk`](Self::chunk) gave until now. Is not
    /// called any more once a chunk was the last.
    ///
    /// # Errors
    /// Those of where the octets are.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// What was read last; none before the first [`poll_fill`](Self::poll_fill). It is written from
    /// where it is.
    fn chunk(&self) -> Chunk<'_>;

    /// Goes back to the first octet, for another attempt. Also called before the first.
    ///
    /// # Errors
    /// Those of where the octets are; [`io::ErrorKind::Unsupported`] if octets are gone.
    fn poll_rewind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Whether [`poll_rewind`](Self::poll_rewind) works after something was read.
    fn can_rewind(&self) -> bool;
}

/// A piece of a message.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Chunk<'b> {
    /// Its octets, maybe none if it is the last.
    pub octets: &'b [u8],
    /// Whether nothing follows. To say so with the last octets rather than behind them saves a
    /// write, and for a short message a reading.
    pub last: bool,
}

impl<B: Body + ?Sized> Body for &mut B {
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_fill(cx)
    }

    fn chunk(&self) -> Chunk<'_> {
        (**self).chunk()
    }

    fn poll_rewind(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_rewind(cx)
    }

    fn can_rewind(&self) -> bool {
        (**self).can_rewind()
    }
}

/// What can be sent as a message: a [`Body`], or octets in memory.
pub trait IntoBody {
    /// The body that it becomes.
    type Body: Body;
    /// Makes it one.
    fn into_body(self) -> Self::Body;
}

impl<B: Body> IntoBody for B {
    type Body = Self;

    fn into_body(self) -> Self {
        self
    }
}

/// A message in memory: anything that can show its octets.
#[derive(Clone, Debug)]
pub struct Octets<T> {
    octets: T,
    filled: bool,
}

impl<T: AsRef<[u8]> + Send> Octets<T> {
    /// The message that `octets` is.
    pub fn new(octets: T) -> Self {
        Self { octets, filled: false }
    }
}

impl<T: AsRef<[u8]> + Send> Body for Octets<T> {
    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.filled = true;
        Poll::Ready(Ok(()))
    }

    fn chunk(&self) -> Chunk<'_> {
        match self.filled {
            true => Chunk { octets: self.octets.as_ref(), last: true },
            false => Chunk::default(),
        }
    }

    fn poll_rewind(&mut self, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.filled = false;
        Poll::Ready(Ok(()))
    }

    fn can_rewind(&self) -> bool {
        true
    }
}

macro_rules! octets {
    ($($of:ty),* $(,)?) => {$(
        impl<'b> IntoBody for $of {
            type Body = Octets<$of>;

            fn into_body(self) -> Self::Body {
                Octets::new(self)
            }
        }
    )*};
}

octets!(&'b [u8], &'b Vec<u8>, Vec<u8>, &'b str, String, Bytes);

impl<'b, const N: usize> IntoBody for &'b [u8; N] {
    type Body = Octets<&'b [u8]>;

    fn into_body(self) -> Self::Body {
        Octets::new(self)
    }
}

/// Octets that a reader is asked for at once, and that the memory for a message is bounded by.
#[cfg(any(feature = "tokio", feature = "smol"))]
const WINDOW: usize = 64 << 10;

/// The part of a reader's octets that is in memory.
#[cfg(any(feature = "tokio", feature = "smol"))]
#[derive(Debug)]
pub(crate) struct Window {
    octets: Box<[u8]>,
    filled: usize,
    last: bool,
    /// A filling is under way.
    filling: bool,
    /// Octets were read and given away.
    gone: bool,
    /// The next filling is what is here.
    kept: bool,
}

#[cfg(any(feature = "tokio", feature = "smol"))]
impl Window {
    pub(crate) fn new() -> Self {
        let octets = vec![0; WINDOW].into();
        Self { octets, filled: 0, last: false, filling: false, gone: false, kept: false }
    }

    pub(crate) fn chunk(&self) -> Chunk<'_> {
        match self.filling {
            true => Chunk::default(),
            false => Chunk { octets: &self.octets[..self.filled], last: self.last },
        }
    }

    /// Fills it anew by `read`, until it is full or the reader ends.
    pub(crate) fn poll_fill(
        &mut self,
        cx: &mut Context<'_>,
        mut read: impl FnMut(&mut Context<'_>, &mut [u8]) -> Poll<io::Result<usize>>,
    ) -> Poll<io::Result<()>> {
        if std::mem::take(&mut self.kept) || self.last {
            return Poll::Ready(Ok(()));
        }
        if !self.filling {
            self.gone |= self.filled > 0;
            self.filled = 0;
            self.filling = true;
        }
        while self.filled < self.octets.len() && !self.last {
            match ready!(read(cx, &mut self.octets[self.filled..]))? {
                0 => self.last = true,
                n => self.filled += n,
            }
        }
        self.filling = false;
        Poll::Ready(Ok(()))
    }

    /// Goes back to the first octet, if it is still here.
    pub(crate) fn rewind(&mut self) -> io::Result<()> {
        if self.gone || self.filling {
            return Err(io::ErrorKind::Unsupported.into());
        }
        self.kept = self.filled > 0 || self.last;
        Ok(())
    }

    /// Forgets what was read.
    pub(crate) fn clear(&mut self) {
        (self.filled, self.last) = (0, false);
        (self.filling, self.gone, self.kept) = (false, false, false);
    }
}

/// A body on its way: where it stands.
pub(crate) struct Source<B> {
    body: B,
    /// Fillings since the start.
    fillings: u64,
    /// What is sent in place of the body.
    replaced: Option<Vec<u8>>,
}

/// What one reading of a message has shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Survey {
    /// Octets with CRLF at each line's end, without stuffed dots (RFC 1870 §3).
    pub(crate) size: u64,
    /// Whether there are octets over 127.
    pub(crate) eight_bit: bool,
}

/// Why a message could not be looked at.
#[derive(Debug)]
pub(crate) enum Unreadable {
    Io(io::Error),
    Content(ContentFault),
}

impl From<io::Error> for Unreadable {
    fn from(error: io::Error) -> Self {
        Self::Io(error)
    }
}

impl<B: Body> Source<B> {
    pub(crate) async fn new(mut body: B) -> io::Result<Self> {
        poll_fn(|cx| body.poll_rewind(cx)).await?;
        let mut source = Self { body, fillings: 0, replaced: None };
        source.advance().await?;
        Ok(source)
    }

    pub(crate) fn chunk(&self) -> Chunk<'_> {
        match &self.replaced {
            Some(octets) => Chunk { octets, last: true },
            None => self.body.chunk(),
        }
    }

    /// Goes on to the next chunk.
    pub(crate) async fn advance(&mut self) -> io::Result<()> {
        poll_fn(|cx| self.body.poll_fill(cx)).await?;
        self.fillings += 1;
        Ok(())
    }

    /// Whether it can be read from its start after it was read to its end: it can be rewound, or
    /// all of it is in the first chunk.
    pub(crate) fn can_repeat(&self) -> bool {
        self.replaced.is_some()
            || self.body.can_rewind()
            || (self.fillings == 1 && self.chunk().last)
    }

    /// Goes back to the first chunk.
    pub(crate) async fn restart(&mut self) -> io::Result<()> {
        if self.fillings > 1 && self.replaced.is_none() {
            poll_fn(|cx| self.body.poll_rewind(cx)).await?;
            self.fillings = 0;
            self.advance().await?;
        }
        Ok(())
    }

    /// Reads it to its end and goes back; `None` if that cannot be done.
    pub(crate) async fn survey(
        &mut self,
        line_endings: LineEndings,
    ) -> Result<Option<Survey>, Unreadable> {
        if !self.can_repeat() {
            return Ok(None);
        }
        let mut encoder = Encoder::new(Framing::Chunked, line_endings, true);
        let mut survey = Survey { size: 0, eight_bit: false };
        loop {
            let Chunk { octets, last } = self.chunk();
            survey.eight_bit |= !octets.is_ascii();
            survey.size += encoded(&mut encoder, octets).map_err(Unreadable::Content)?;
            if last {
                break;
            }
            self.advance().await?;
        }
        survey.size += encoder.finish().map_err(Unreadable::Content)?.len() as u64;
        self.restart().await?;
        Ok(Some(survey))
    }

    /// Reads what is to be read, with CRLF at each line's end; `None` if there are more octets than
    /// `most`.
    pub(crate) async fn read_to_end(
        &mut self,
        line_endings: LineEndings,
        most: usize,
    ) -> Result<Option<Vec<u8>>, Unreadable> {
        let mut encoder = Encoder::new(Framing::Chunked, line_endings, true);
        let mut message = Vec::new();
        loop {
            let Chunk { mut octets, last } = self.chunk();
            let mut pieces = [&[][..]; 64];
            while !octets.is_empty() && message.len() <= most {
                let n = encoder.encode(&mut octets, &mut pieces).map_err(Unreadable::Content)?;
                pieces[..n].iter().for_each(|piece| message.extend_from_slice(piece));
            }
            if message.len() > most {
                return Ok(None);
            }
            if last {
                break;
            }
            self.advance().await?;
        }
        message.extend_from_slice(encoder.finish().map_err(Unreadable::Content)?);
        Ok(Some(message))
    }

    /// Puts another message in the place of this one.
    pub(crate) fn replace(&mut self, message: Vec<u8>) {
        self.replaced = Some(message);
    }
}

/// How many octets `octets` become.
fn encoded(encoder: &mut Encoder, mut octets: &[u8]) -> Result<u64, ContentFault> {
    let mut pieces = [&[][..]; 64];
    let mut size = 0;
    while !octets.is_empty() {
        let n = encoder.encode(&mut octets, &mut pieces)?;
        size += pieces[..n].iter().map(|piece| piece.len() as u64).sum::<u64>();
    }
    Ok(size)
}
