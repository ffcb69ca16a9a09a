//! The length of text lines (RFC 5321 §4.5.3.1.6).

/// Counts the octets of the line that is running.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TextLines {
    running: usize,
}

impl TextLines {
    /// Takes the next octets of a message. Gives how many of them keep every line within `most`
    /// octets before its CRLF: all, or those before the first that breaks the limit.
    pub(crate) fn take(&mut self, octets: &[u8], most: usize) -> usize {
        let mut taken = 0;
        loop {
            let rest = &octets[taken..];
            let lf = memchr::memchr(b'\n', rest);
            let line = &rest[..lf.unwrap_or(rest.len())];
            let room = most.saturating_sub(self.running);
            // One octet more may be the CR of the line's end.
            let last = usize::from(self.running <= most && line.get(room) == Some(&b'\r'));
            if line.len() > room + last {
                return taken + room + last;
            }
            taken += line.len();
            self.running += line.len();
            if lf.is_none() {
                return taken;
            }
            taken += 1;
            self.running = 0;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::TextLines;

    /// How many octets of `text` pass when it comes in pieces of `step`.
    fn taken(text: &[u8], step: usize, most: usize) -> usize {
        let mut lines = TextLines::default();
        let mut all = 0;
        for piece in text.chunks(step) {
            let n = lines.take(piece, most);
            all += n;
            if n < piece.len() {
                break;
            }
        }
        all
    }

    #[test]
    fn a_line_at_the_limit_passes_and_the_octet_over_it_does_not() {
        for step in 1..12 {
            assert_eq!(taken(b"abcd\r\nx\r\n", step, 4), 9, "by {step}");
            assert_eq!(taken(b"abcde\r\nx\r\n", step, 4), 4, "by {step}");
            assert_eq!(taken(b"x\r\nabcd\re\r\n", step, 4), 8, "by {step}");
            assert_eq!(taken(b"abcd\r\r\n", step, 4), 5, "by {step}");
        }
    }
}
