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
    let mut have = 0;
    loop {
        let wanted = match ProxyHeader::parse(&octets[..have]) {
            Ok(ProxyProgress::Whole(header)) => return Ok(header),
            Ok(ProxyProgress::Needs(more)) => have + more,
            Err(malformed) => return Err(io::Error::new(io::ErrorKind::InvalidData, malformed)),
        };
        if octets.len() < wanted {
            octets.resize(wanted, 0);
        }
        let n = poll_fn(|cx| stream.poll_read(cx, &mut octets[have..wanted])).await?;
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        have += n;
    }
}
