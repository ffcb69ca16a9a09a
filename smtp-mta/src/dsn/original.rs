//! What a notice shows of the message that it is about.

use crate::{
    header::Header,
    queue::{Entry, QueueError, SqliteQueue},
};

/// Octets of a message that goes back with a notice; of a longer one only the header does.
const WHOLE: u64 = 128 << 10;

/// Octets of a header that go back.
const HEADER: usize = 32 << 10;

/// A message, or its header.
#[derive(Debug)]
pub(super) struct Original {
    /// What is known of it.
    pub(super) octets: Vec<u8>,
    /// Where its header ends.
    header: usize,
    /// That is all of it.
    pub(super) is_whole: bool,
    /// Its name.
    pub(super) message_id: Option<String>,
}

impl Original {
    /// The message of `entry`: all of it, if `whole` is wanted and it is short enough, or else its
    /// header.
    pub(super) async fn read(
        queue: &SqliteQueue,
        entry: &Entry,
        whole: bool,
    ) -> Result<Self, QueueError> {
        let whole = whole && entry.size <= WHOLE;
        let mut body = queue.body(entry.id).await?;
        let (mut octets, mut header, mut found) = (Vec::new(), Header::default(), false);
        loop {
            let piece = body.next().await?;
            if piece.is_empty() {
                break;
            }
            found = found || header.take(&piece).is_some();
            if whole {
                octets.extend_from_slice(&piece);
            } else if found {
                break;
            }
        }
        let message_id = header.all("Message-ID").next().and_then(|id| str::from_utf8(id).ok());
        let message_id = message_id.map(str::trim).filter(|id| !id.is_empty() && id.is_ascii());
        let message_id = message_id.map(str::to_owned);
        let is_whole = whole && has_only_lines(&octets);
        if !is_whole {
            octets = lines(header.octets());
        }
        let header = if is_whole { header.octets().len() } else { octets.len() };
        Ok(Self { header: header.min(octets.len()), octets, is_whole, message_id })
    }

    /// Its header.
    pub(super) fn header(&self) -> &[u8] {
        &self.octets[..self.header]
    }
}

/// Whether each CR and LF is one of a line's end, and there is no NUL: what is not so cannot be a
/// part of a message.
fn has_only_lines(octets: &[u8]) -> bool {
    !octets.contains(&0)
        && octets
            .split(|octet| *octet == b'\n')
            .rev()
            .skip(1)
            .all(|line| line.last() == Some(&b'\r'))
        && octets.windows(2).all(|two| two[0] != b'\r' || two[1] == b'\n')
        && octets.last() != Some(&b'\r')
}

/// The lines of a header, within bounds, with what cannot stand in one left out.
fn lines(header: &[u8]) -> Vec<u8> {
    let header = &header[..header.len().min(HEADER)];
    let mut lines = Vec::with_capacity(header.len());
    for line in header.split(|octet| *octet == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        lines.extend(line.iter().filter(|octet| !matches!(octet, b'\r' | 0)));
        lines.extend_from_slice(b"\r\n");
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_lines_is_seen() {
        for good in [&b"a: b\r\n\r\nc\r\n"[..], b"", b"a", b"a\r\nb"] {
            assert!(has_only_lines(good), "{good:?}");
        }
        for bad in [&b"a\nb"[..], b"a\rb", b"a\r", b"a\0", b"\r\r\n", b"\n"] {
            assert!(!has_only_lines(bad), "{bad:?}");
        }
    }

    #[test]
    fn a_header_ends_where_it_ends_and_has_only_lines() {
        assert_eq!(lines(b"a: b\r\n\tc\nd: \0\re\r\n\r\nbody\r\n"), b"a: b\r\n\tc\r\nd: e\r\n");
        assert!(lines(&b"a: b\r\n".repeat(100_000)).len() <= HEADER + 2);
    }
}
