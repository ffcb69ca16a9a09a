//! The PROXY header, taken off streams of proxies that are known.

use crate::stream::Stream;
use smtp_proto::proxy::{ProxyHeader, ProxyProgress};
use std::{future::poll_fn, io};

/// Reads a header, and not an octet of what follows it.
///
/// # Errors
/// `InvalidData` for what is no header, `UnexpectedEof` for half of one, and those of the stream.
pub(crate) async fn read_header<S: Stream>(stream: &mut S) -> io::Result<ProxyHeader> {
    let mut octets = Vec::new();
    loop {
        let have = octets.len();
        match ProxyHeader::parse(&octets) {
            Ok(ProxyProgress::Whole(header)) => return Ok(header),
            Ok(ProxyProgress::Needs(more)) => octets.resize(have + more, 0),
            Err(malformed) => return Err(io::Error::new(io::ErrorKind::InvalidData, malformed)),
        }
        let n = poll_fn(|cx| stream.poll_read(cx, &mut octets[have..])).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        octets.truncate(have + n);
    }
}
