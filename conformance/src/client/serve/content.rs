//! The message: behind DATA, and in chunks.

use super::{MOST_MESSAGE, Over, SLICE, Session};
use crate::{
    client::{
        record::{Body, Ending, find},
        script::Point,
    },
    transcript::{Line, visible},
};
use std::time::Instant;

impl Session {
    /// A message behind 354, up to CRLF.CRLF and no other end.
    pub(super) fn message(&mut self) -> Result<(), Over> {
        self.flush()?;
        let place = self.serving.transcript.last() + 1;
        let recipients = std::mem::take(&mut self.recipients);
        self.record.bodies.push(Body {
            octets: Vec::new(),
            complete: false,
            early: self.taken < self.received_when_said,
            chunked: false,
            recipients,
            code: 0,
            place,
        });
        let ended = self.body_octets();
        if let Some(body) = self.record.bodies.last() {
            let lines: Vec<_> = body.octets.split_inclusive(|&b| b == b'\n').collect();
            for line in lines.iter().take(40) {
                self.serving.transcript.push(Line::Client(visible(line)));
            }
            if lines.len() > 40 {
                let note = format!("{} octets in all", body.octets.len());
                self.serving.transcript.push(Line::Note(note));
            }
        }
        ended?;
        self.note(Line::Client(".".into()));
        let code = self.answer(Point::End, b"")?;
        if let Some(body) = self.record.bodies.last_mut() {
            body.code = code;
        }
        Ok(())
    }

    fn body_octets(&mut self) -> Result<(), Over> {
        let mut searched: usize = 0;
        let mut begun = false;
        loop {
            if !begun && !self.unread.is_empty() {
                begun = true;
                self.answer(Point::Body, b"")?;
            }
            let end = if self.unread.starts_with(b".\r\n") {
                Some((0, 3))
            } else {
                let from = searched.saturating_sub(4);
                find(self.unread.get(from..).unwrap_or_default(), b"\r\n.\r\n")
                    .map(|at| (from + at + 2, from + at + 5))
            };
            let Some(body) = self.record.bodies.last_mut() else { return Ok(()) };
            if let Some((end, next)) = end {
                body.octets = self.unread.get(..end).unwrap_or_default().to_vec();
                body.complete = true;
                self.take(next);
                return Ok(());
            }
            searched = self.unread.len();
            if searched >= MOST_MESSAGE {
                body.octets = std::mem::take(&mut self.unread);
                return Err(Over(Ending::Server));
            }
            if let Err(over) = self.receive(Instant::now() + SLICE) {
                if let Some(body) = self.record.bodies.last_mut() {
                    body.octets = std::mem::take(&mut self.unread);
                }
                return Err(over);
            }
        }
    }

    /// BDAT, RFC 3030 §2.
    pub(super) fn chunk(&mut self, line: &[u8], place: usize) -> Result<u16, Over> {
        let text = String::from_utf8_lossy(line).to_ascii_uppercase();
        let mut words = text.split_whitespace().skip(1);
        let size = words.next().and_then(|word| word.parse::<usize>().ok());
        let last = words.next() == Some("LAST");
        let Some(size) = size.filter(|size| *size <= MOST_MESSAGE) else {
            self.say(b"501 5.5.4 how many?\r\n")?;
            return Ok(501);
        };
        while self.unread.len() < size {
            self.more()?;
        }
        let octets = self.take(size);
        for line in octets.split_inclusive(|&b| b == b'\n').take(20) {
            self.note(Line::Client(visible(line)));
        }
        let code = self.answer(Point::Bdat, line)?;
        let recipients = self.recipients.clone();
        let body = self.chunks.get_or_insert(Body {
            octets: Vec::new(),
            complete: false,
            early: false,
            chunked: true,
            recipients,
            code: 0,
            place,
        });
        body.octets.extend_from_slice(&octets);
        body.complete |= last;
        body.code = code;
        if last || code >= 400 || body.octets.len() > MOST_MESSAGE {
            self.record.bodies.extend(self.chunks.take());
            self.recipients.clear();
        }
        Ok(code)
    }
}
