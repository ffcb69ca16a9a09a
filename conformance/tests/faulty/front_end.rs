//! What a front end says of its client: the PROXY header, in front of all else, and XCLIENT.

use super::{
    fault::Fault as F,
    server::NAME,
    session::{Flow, Session},
    stream::find,
};

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";
/// Octets of a line, with its end.
const MOST_LINE: usize = 107;
/// Octets of a binary header without addresses.
const BINARY: usize = 16;

impl Session<'_> {
    /// Reads the header; false if there is none.
    pub(super) fn proxied(&mut self) -> bool {
        if self.has(F::ProxyOptional) {
            return true;
        }
        while self.stream.unread.len() < BINARY {
            if !self.stream.fill() {
                return false;
            }
        }
        if self.stream.unread.starts_with(b"PROXY ") {
            return self.line_header();
        }
        let Some(head) = self.stream.take(BINARY) else { return false };
        if !head.starts_with(SIGNATURE) && !self.has(F::ProxyAnySignature) {
            return false;
        }
        let length = u16::from_be_bytes([head[14], head[15]]);
        let known = match head[12] {
            0x20 => !self.has(F::ProxyLocalCloses),
            0x21 => matches!(head[13], 0 | 0x11 | 0x21),
            _ => false,
        };
        if head[12] == 0x20 && self.has(F::ProxyLocalBlock) {
            return known;
        }
        if head[13] == 0 && self.has(F::ProxyUnspecifiedHangs) {
            while self.stream.fill() {}
            return false;
        }
        known && self.stream.take(usize::from(length)).is_some()
    }

    fn line_header(&mut self) -> bool {
        while find(&self.stream.unread, b"\r\n").is_none() {
            let long = self.stream.unread.len() >= MOST_LINE && !self.has(F::ProxyAnyLength);
            if long || !self.stream.fill() {
                return false;
            }
        }
        let Some((line, _)) = self.stream.take_line(b"\r\n", MOST_LINE) else { return false };
        let words = line.split(|&b| b == b' ').count();
        (words == 6 && line.len() + 2 <= MOST_LINE) || self.has(F::ProxyAnyLength)
    }

    /// XCLIENT with ADDR: the session begins again.
    pub(super) fn xclient(&mut self, argument: &[u8]) -> Flow {
        if self.has(F::XclientRefused) {
            return self.say(550, "5.7.0", "not from you");
        }
        let text = String::from_utf8_lossy(argument).into_owned();
        let address = text.split(' ').find_map(|word| word.strip_prefix("ADDR="));
        if let Some(address) = address.filter(|_| !self.has(F::XclientLost)) {
            self.peer = address.to_owned();
        }
        self.hello = None;
        self.mail = None;
        self.say(220, "", NAME)
    }
}
