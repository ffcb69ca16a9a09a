//! DATA and BDAT: where the text ends, and what becomes of it.

use super::{
    envelope::Envelope,
    fault::Fault as F,
    server::SIZE,
    session::{Flow, Session},
    stream::find,
};

/// How the octets of DATA came to an end.
enum End {
    /// By the dot, or what the server takes for it.
    Dot,
    /// The server has answered already and reads no more of it.
    Refused,
    /// Somebody hung up.
    Gone,
}

/// What ends the data for a server with this fault, besides CRLF.CRLF.
fn ends(session: &Session<'_>) -> Vec<Vec<u8>> {
    let one: &[(F, &[u8])] = &[
        (F::LfDotLf, b"\n.\n"),
        (F::LfDotLfFlushes, b"\n.\n"),
        (F::LfDotLfRefuses, b"\n.\n"),
        (F::LfDotCrlf, b"\n.\r\n"),
        (F::CrlfDotLf, b"\r\n.\n"),
        (F::CrDotCr, b"\r.\r"),
        (F::CrDotCrlf, b"\r.\r\n"),
        (F::CrlfDotCr, b"\r\n.\r"),
        (F::LfDotCr, b"\n.\r"),
        (F::CrDotLf, b"\r.\n"),
        (F::CrIsNothing, b"\n.\n"),
        (F::UnstuffsFirst, b"\r\n..\r\n"),
        (F::NelDotNel, b"\x85.\x85"),
        (F::NelDotNel, b"\xc2\x85.\xc2\x85"),
        (F::VtDotVt, b"\x0b.\x0b"),
    ];

    let mut all: Vec<Vec<u8>> = vec![b"\r\n.\r\n".to_vec()];
    all.extend(one.iter().filter(|(f, _)| session.has(*f)).map(|(_, end)| end.to_vec()));
    if session.has(F::AnyDotLine) {
        let line_ends = [&b"\r\n"[..], b"\n", b"\r"];
        for before in line_ends {
            all.extend(line_ends.map(|after| [before, b".", after].concat()));
        }
    }
    all
}

impl Session<'_> {
    pub(super) fn data(&mut self, argument: &[u8]) -> Flow {
        self.stream.begin();
        if !argument.is_empty() && !self.has(F::ArgumentsIgnored) {
            return self.say(501, "5.5.4", "DATA takes no argument");
        }
        if self.mail.as_ref().is_none_or(|mail| mail.aborted) && self.has(F::DataWithoutMail) {
            self.mail = Some(Envelope::default());
        }
        let lmtp = self.is_lmtp() && self.has(F::LmtpDataWithoutRcpt);
        let any = self.has(F::DataWithoutRcpt) || self.has(F::DataWithoutMail) || lmtp;
        let refusal = match &self.mail {
            None => Some("MAIL first"),
            Some(mail) if mail.aborted => Some("MAIL first"),
            Some(mail) if mail.spoilt => (!self.has(F::BdatErrorOpens)).then_some("RSET first"),
            Some(mail) if mail.binary && !self.has(F::BinaryByData) => Some("BDAT is wanted"),
            Some(mail) if mail.chunked && !self.has(F::DataAfterBdat) => Some("BDAT is wanted"),
            Some(mail) if mail.recipients.is_empty() => {
                let counts = mail.refused > 0 && self.has(F::RefusedRcptCounts);
                (!any && !counts).then_some("RCPT first")
            }
            Some(_) => None,
        };
        if let Some(text) = refusal {
            return self.say(503, "5.5.1", text);
        }
        if self.has(F::DataGets250) {
            self.say(250, "2.0.0", "send it");
        } else {
            self.say(354, "", "end with a dot");
        }
        if self.has(F::DataFlushes) && !self.stream.unread.is_empty() {
            self.mail = None;
            return Flow::On;
        }
        let mut raw = Vec::new();
        match self.read_text(&mut raw) {
            End::Dot => {}
            End::Refused => {
                self.mail = None;
                return self.say(552, "5.3.4", "too large");
            }
            End::Gone => {
                if let Some(mail) = self.mail.take().filter(|_| self.has(F::DeliversHalf)) {
                    self.store(&mail, &self.unstuff(&raw));
                }
                return Flow::Close;
            }
        }
        if self.has(F::DropsBehindDot) {
            self.stream.unread.clear();
        }
        let text = self.unstuff(&raw);
        self.finish(&raw, text, true)
    }

    fn read_text(&mut self, text: &mut Vec<u8>) -> End {
        let ends = ends(self);
        // So that a dot at the very beginning stands behind a line end.
        let front: &[u8] = if self.has(F::EmptyMessageHangs) { b"" } else { b"\r\n" };
        let mut raw = front.to_vec();
        let mut seen = 0;
        let declared = self.mail.as_ref().and_then(|mail| mail.size);
        loop {
            let chunk = std::mem::take(&mut self.stream.unread);
            let before = raw.len();
            raw.extend(chunk);
            self.filter(&mut raw);
            if self.has(F::EightBitCloses) && !raw.is_ascii() {
                return End::Gone;
            }
            if let Some(size) = declared.filter(|_| self.has(F::SizeEnds)) {
                let size = usize::try_from(size).unwrap_or(usize::MAX).saturating_add(2);
                if size > 2 && raw.len() >= size {
                    self.stream.unread = raw.split_off(size);
                    *text = raw.split_off(2);
                    return End::Dot;
                }
            }
            let from = if self.has(F::SplitDotMissed) && before > front.len() {
                before
            } else {
                seen.min(raw.len())
            };
            let found = ends
                .iter()
                .filter_map(|end| find(&raw[from..], end).map(|at| (from + at, end)))
                .filter(|(at, _)| !(self.has(F::CrHidesEnd) && raw[..*at].ends_with(b"\r")))
                .min_by_key(|(at, end)| (*at, usize::MAX - end.len()));
            if let Some((at, end)) = found {
                if self.has(F::LfDotLfRefuses) && !end.starts_with(b"\r\n") {
                    self.stream.unread = raw.split_off(at + end.len());
                    return End::Refused;
                }
                let mut rest = raw.split_off(at + end.len());
                if end.ends_with(b"\r") && rest.starts_with(b"\n") {
                    rest.remove(0);
                }
                self.stream.unread = rest;
                if self.has(F::LfDotLfFlushes) {
                    self.stream.unread.clear();
                }
                let line_end = end.iter().position(|&b| b == b'.').unwrap_or(0);
                raw.truncate(at + line_end);
                *text = raw.split_off(front.len().min(raw.len()));
                return End::Dot;
            }
            let long = |raw: &[u8]| raw.split(|&b| b == b'\n').any(|line| line.len() > 4000);
            if self.has(F::LongLinesClose) && long(&raw) {
                return End::Gone;
            }
            if raw.len() > SIZE * 11 / 10 {
                if self.has(F::SizeCloses) {
                    return End::Gone;
                }
                if self.has(F::SizeRefusesAtOnce) {
                    return End::Refused;
                }
            }
            seen = raw.len().saturating_sub(16);
            // What is far too large is not kept: only that it was.
            if raw.len() > SIZE * 4 {
                raw.drain(SIZE * 2..raw.len() - 16);
                seen = 0;
            }
            if !self.stream.fill() {
                *text = raw.split_off(2.min(raw.len()));
                return End::Gone;
            }
        }
    }

    /// What a server drops before it looks for the end.
    fn filter(&self, raw: &mut Vec<u8>) {
        if self.has(F::NulsDropped) {
            raw.retain(|&b| b != 0);
        }
        if self.has(F::CrIsNothing) {
            raw.retain(|&b| b != b'\r');
        }
        if self.has(F::CrsDropped) {
            while let Some(at) = find(raw, b"\r\r\n") {
                raw.remove(at);
            }
        }
        if self.has(F::LineTrimmed) {
            for space in [&b"\r\n. "[..], b"\r\n.\t"] {
                while let Some(at) = find(raw, space) {
                    raw.remove(at + 3);
                }
            }
        }
    }

    fn unstuff(&self, raw: &[u8]) -> Vec<u8> {
        let mut text = Vec::with_capacity(raw.len());
        let mut rest = raw;
        while !rest.is_empty() {
            let end = find(rest, b"\r\n").map_or(rest.len(), |at| at + 2);
            let (mut line, behind) = rest.split_at(end);
            rest = behind;
            if self.has(F::DotsDropped) {
                while let Some(short) = line.strip_prefix(b".") {
                    line = short;
                }
            } else if self.has(F::DotOnlyBeforeDot) {
                if line.starts_with(b"..") {
                    line = &line[1..];
                }
            } else if !self.has(F::DotsKept) {
                line = line.strip_prefix(b".").unwrap_or(line);
            }
            text.extend_from_slice(line);
        }
        text
    }

    pub(super) fn bdat(&mut self, argument: &[u8]) -> Flow {
        let mut words = argument.split(|&b| b == b' ').filter(|word| !word.is_empty());
        let number = words.next().unwrap_or_default();
        let last = words.next();
        let digits = !number.is_empty() && number.iter().all(u8::is_ascii_digit);
        let upper = last.is_none_or(|word| word == b"LAST" || !self.has(F::BdatCaseSensitive));
        let is_last = last.is_none_or(|word| word.eq_ignore_ascii_case(b"LAST"));
        if (!digits && !self.has(F::BdatBadNumber)) || !upper || !is_last || words.next().is_some()
        {
            if self.has(F::BdatErrorCloses) {
                return Flow::Close;
            }
            if let Some(mail) = &mut self.mail {
                mail.spoilt = true;
            }
            return self.say(501, "5.5.4", "a number, and perhaps LAST");
        }
        let text = std::str::from_utf8(number).unwrap_or_default();
        let size = text.parse::<usize>().unwrap_or(if digits { usize::MAX } else { 0 });
        let size = match size {
            // More than anybody would wait for.
            0x4000_0000.. if self.has(F::BdatHuge) => 0,
            0x4000_0000.. => {
                self.say(552, "5.3.4", "too large");
                return Flow::Close;
            }
            size => size,
        };
        self.chunk(size, last.is_some())
    }

    fn chunk(&mut self, size: usize, last: bool) -> Flow {
        let refusal = match &self.mail {
            None if self.mails > 0 && self.has(F::BdatAfterLast) => {
                return if self.stream.take(size).is_some() {
                    self.say(250, "2.0.0", "chunk taken")
                } else {
                    Flow::Close
                };
            }
            None => Some("MAIL first"),
            Some(mail) if mail.aborted => Some("MAIL first"),
            Some(mail) if mail.spoilt => Some("RSET first"),
            Some(mail) if mail.recipients.is_empty() => Some("RCPT first"),
            Some(_) if size == 0 && last && self.has(F::BdatZeroRefused) => {
                return self.say(501, "5.5.4", "nothing is no chunk");
            }
            Some(_) => None,
        };
        if self.has(F::BdatLosesPipelined) {
            self.stream.unread.clear();
        }
        let nobody = self.mail.as_ref().is_some_and(|mail| mail.recipients.is_empty());
        let runs = self.has(F::RefusedBdatRuns) || (nobody && self.has(F::RefusedBdatRunsRcpt));
        if let Some(text) = refusal.filter(|_| runs) {
            return self.say(503, "5.5.1", text);
        }
        let octets = self.stream.take(size);
        let Some(mail) = &mut self.mail else {
            if self.has(F::BdatErrorOpens) {
                self.mail = Some(Envelope { spoilt: true, ..Envelope::default() });
            }
            return octets.map_or(Flow::Close, |_| self.say(503, "5.5.1", "MAIL first"));
        };
        let Some(mut octets) = octets else {
            let mail = std::mem::take(mail);
            if self.has(F::DeliversHalf) {
                self.store(&mail, &[&mail.chunks[..], &self.stream.unread].concat());
            }
            return Flow::Close;
        };
        if let Some(text) = refusal {
            return self.say(503, "5.5.1", text);
        }
        let server = self.server;
        if server.has(F::BdatNewlines) && !octets.ends_with(b"\n") {
            octets.extend_from_slice(b"\r\n");
        }
        if server.has(F::BdatCrFixed) && octets.ends_with(b"\r") {
            octets.push(b'\n');
        }
        let dot = find(&octets, b"\r\n.\r\n").filter(|_| server.has(F::BdatDotEnds));
        octets.truncate(dot.map_or(octets.len(), |at| at + 2));
        mail.chunked = true;
        mail.count += 1;
        mail.chunks.extend(octets);
        if mail.count > 1000 && server.has(F::ManyChunksClose) {
            return Flow::Close;
        }
        if mail.chunks.len() > SIZE && !server.has(F::BdatSizeUnchecked) {
            mail.spoilt = true;
            mail.chunks.clear();
            if server.has(F::BdatSizeCloses) {
                return Flow::Close;
            }
            return self.say(552, "5.3.4", "too large");
        }
        if !last && dot.is_none() {
            let recipients = mail.recipients.len();
            let many = self.is_lmtp() && server.has(F::LmtpBdatManyReplies);
            for _ in 1..if many { recipients } else { 1 } {
                self.say(250, "2.0.0", "chunk taken");
            }
            if server.has(F::BdatSilent) {
                return Flow::On;
            }
            return self.say(250, "2.0.0", "chunk taken");
        }
        let mut text = std::mem::take(&mut mail.chunks);
        if server.has(F::BdatEatsCommand) && !text.ends_with(b"\r\n") {
            let Some((line, _)) = self.line() else { return Flow::Close };
            text.extend([&line[..], b"\r\n"].concat());
        }
        if server.has(F::BdatUnstuffs) {
            text = self.unstuff(&text);
        }
        self.finish(&[], text, false)
    }
}
