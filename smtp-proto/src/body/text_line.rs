//! The length of text lines (RFC 5321 §4.5.3.1.6).

/// Counts the octets of the line that is running.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct TextLines {
    running: usize,
}

impl TextLines {
    /// Takes the next octets of a message; false if a line among them has more than `most` octets
    /// before its CRLF.
    pub(crate) fn within(&mut self, octets: &[u8], most: usize) -> bool {
        let mut rest = octets;
        while let Some(at) = memchr::memchr(b'\n', rest) {
            // The LF and, in all lines that the dot reader passes, its CR do not count.
            if (self.running + at).saturating_sub(1) > most {
                return false;
            }
            self.running = 0;
            rest = &rest[at + 1..];
        }
        self.running = self.running.saturating_add(rest.len());
        // One octet more may be the CR.
        self.running <= most.saturating_add(1)
    }
}

#[cfg(test)]
mod tests {
    use super::TextLines;

    #[test]
    fn a_line_at_the_limit_passes_and_one_octet_more_does_not() {
        for cut in 0..9 {
            let (head, tail) = b"abcd\r\nx\r\n".split_at(cut);
            let mut lines = TextLines::default();
            assert!(lines.within(head, 4) && lines.within(tail, 4), "cut at {cut}");
            let mut lines = TextLines::default();
            assert!(!(lines.within(head, 3) && lines.within(tail, 3)), "cut at {cut}");
        }
    }
}
