//! The commands that are about the session.

use super::{
    address::is_domain,
    fault::Fault as F,
    habit::Habit,
    server::{MAILMAX, NAME, RCPTMAX, SIZE, USER},
    session::{Flow, Hello, Session},
};
use smtp_conformance::wire::Port;
use std::sync::Arc;

impl Session<'_> {
    pub(super) fn hello(&mut self, verb: &[u8], argument: &[u8]) -> Flow {
        let (ehlo, lhlo) = (verb == b"EHLO", verb == b"LHLO");
        let refused = (ehlo && self.has(F::RefusesEhlo))
            || (verb == b"HELO" && self.has(F::RefusesHelo))
            || (lhlo && self.has(F::LhloRefused));
        let wrong_port = if lhlo {
            !self.is_lmtp() && !self.has(F::LhloOnSmtp)
        } else {
            self.is_lmtp() && !self.has(F::LmtpEhlo)
        };
        if refused || wrong_port {
            return self.say(500, "5.5.1", "unknown command");
        }
        if self.hello.is_some() && self.has(F::EhloOnce) {
            return self.say(503, "5.5.1", "you said so");
        }
        if argument.contains(&b'_') && self.has(F::UnderscoreCloses) {
            return Flow::Close;
        }
        let refused = (argument == b"[192.0.2.1]" && self.has(F::RefusesAddressLiteral))
            || (argument.starts_with(b"[IPv6") && self.has(F::RefusesIpv6Literal));
        let nameless = argument.is_empty()
            && self.has(if verb == b"HELO" { F::HeloWithoutName } else { F::EhloWithoutName });
        let bracket = argument.starts_with(b"(") && self.has(F::ReceivedUnclosed);
        let any = bracket || (self.has(F::ReceivedInjection) && !argument.is_empty());
        let eight_bit = argument.iter().any(|b| *b >= 0x80);
        let good = !refused && !eight_bit && is_domain(self.server, argument);
        if !good && !nameless && !any {
            if self.has(F::RefusedEhloClears) {
                self.mail = None;
            }
            return self.say(501, "5.5.4", "a domain or an address literal is wanted");
        }
        if !self.has(F::EhloKeepsTransaction) {
            self.mail = None;
        }
        let extended = verb != b"HELO";
        self.hello = Some(Hello { name: argument.to_vec(), extended });
        let status = if self.has(F::EnhancedInGreeting) { "2.0.0" } else { "" };
        let first = if self.has(F::Utf8Greeting) { format!("{NAME} grüßt") } else { NAME.into() };
        if !extended && !self.has(F::HeloGetsExtensions) {
            return self.say(250, status, first);
        }
        let first = if self.has(F::EhloSaysHello) { "--- welcome ---".into() } else { first };
        let mut lines = vec![first.into_bytes()];
        lines.extend(self.extensions().into_iter().map(String::into_bytes));
        self.reply(250, status, &lines)
    }

    fn extensions(&self) -> Vec<String> {
        if self.is(Habit::Bare) {
            return vec!["8BITMIME".into()];
        }
        let secure = self.stream.is_secure();
        let mut lines = Vec::new();
        let mut list = |line: &str, unless: bool| {
            if !unless {
                lines.push(line.to_owned());
            }
        };
        let size = match () {
            () if self.has(F::SizeSyntax) => "SIZE 64K".into(),
            () if self.has(F::SmallMessages) => "SIZE".into(),
            () if self.has(F::EhloTwoSpaces) => format!("SIZE  {SIZE}"),
            () => format!("SIZE {SIZE}"),
        };
        list(&size, false);
        list("PIPELINING", self.is_lmtp() && self.has(F::LmtpNoPipelining));
        let seven = self.has(F::NoEightBitMime) || self.has(F::EightBitCloses);
        list("8BITMIME", seven);
        let utf8 = if self.has(F::SmtpUtf8Parameter) { "SMTPUTF8 yes" } else { "SMTPUTF8" };
        list(utf8, false);
        list("CHUNKING", self.has(F::BinaryWithoutChunking));
        list("BINARYMIME", self.has(F::BinaryUnlisted));
        list("DSN", false);
        list("ENHANCEDSTATUSCODES", false);
        let least = self.has(F::DeliverByLeast);
        list(if least { "DELIVERBY 60" } else { "DELIVERBY" }, false);
        list("MT-PRIORITY", false);
        let rcptmax = if self.has(F::LimitsSyntax) { "many".into() } else { RCPTMAX.to_string() };
        list(&format!("LIMITS MAILMAX={MAILMAX} RCPTMAX={rcptmax}"), false);
        list("HELP", self.has(F::HelpMissing));
        let submission = self.port == Port::Submission;
        list("ETRN", self.is_lmtp() || (submission && !self.has(F::SubmissionEtrn)));
        let implicit = self.port == Port::ImplicitTls && self.has(F::ImplicitOffersStarttls);
        list("STARTTLS", secure && !self.has(F::StarttlsAgain) && !implicit);
        let mut auth = String::from("AUTH PLAIN LOGIN SCRAM-SHA-256");
        if self.has(F::AuthExternalForAll) {
            auth.push_str(" EXTERNAL");
        }
        if self.has(F::ScramPlusUnbound) {
            auth.push_str(" SCRAM-SHA-256-PLUS");
        }
        if self.has(F::CramInitial) {
            auth.push_str(" CRAM-MD5");
        }
        let clear = self.has(F::AuthInClear) || self.has(F::TlsKeepsAuth);
        let no_auth = self.is_lmtp() || self.has(F::TlsRequiredNoAuth);
        list(&auth, no_auth || (!secure && !clear));
        let only = if self.has(F::RequireTlsParameter) { "REQUIRETLS YES" } else { "REQUIRETLS" };
        list(only, !secure && !self.has(F::RequireTlsInClear));
        let future = match self.has(F::FutureReleaseBare) {
            true => "FUTURERELEASE",
            false => "FUTURERELEASE 315360000 2036-01-01T00:00:00Z",
        };
        list(future, !submission && self.user.is_none() && !self.has(F::HoldForStrangers));
        let stranger = !self.server.setting.trusted && !self.has(F::XclientOffered);
        list("XCLIENT NAME ADDR", stranger);
        list("FROBNICATE", !self.has(F::UnregisteredKeyword));
        list("X_FAST!=YES", !self.has(F::BadKeyword));
        if self.has(F::KeywordParameters) {
            for line in &mut lines {
                if ["8BITMIME", "PIPELINING", "CHUNKING", "STARTTLS"].contains(&line.as_str()) {
                    line.push_str(" YES");
                }
            }
        }
        if self.is(Habit::SmallLetters) {
            for line in &mut lines {
                let keyword = line.find(' ').unwrap_or(line.len());
                line[..keyword].make_ascii_lowercase();
            }
        }
        lines
    }

    pub(super) fn rset(&mut self, argument: &[u8]) -> Flow {
        if !argument.is_empty() && !self.has(F::ArgumentsIgnored) {
            return self.say(501, "5.5.4", "RSET takes no argument");
        }
        if self.mail.is_none() && self.has(F::RsetTwice503) {
            return self.say(503, "5.5.1", "nothing to reset");
        }
        if self.has(F::RsetKeepsChunks) {
            if let Some(mail) = &mut self.mail {
                mail.recipients.clear();
                mail.aborted = true;
            }
        } else if !self.has(F::ForgetsRset) {
            self.mail = None;
        }
        self.say(250, "2.0.0", "as new")
    }

    pub(super) fn noop(&mut self, argument: &[u8]) -> Flow {
        if self.has(F::AnswersNothingToNoop) {
            return Flow::On;
        }
        if !argument.is_empty() && self.has(F::NoopArgumentRefused) {
            return self.say(501, "5.5.4", "NOOP takes no argument");
        }
        if self.has(F::AnswersNoopTwice) {
            self.say(250, "2.0.0", "nothing");
        }
        self.say(250, "2.0.0", "nothing done")
    }

    pub(super) fn quit(&mut self, argument: &[u8]) -> Flow {
        if !argument.is_empty() && !self.has(F::ArgumentsIgnored) {
            return self.say(501, "5.5.4", "QUIT takes no argument");
        }
        if self.hello.is_none() && self.has(F::QuitNeedsEhlo) {
            return self.say(503, "5.5.1", "EHLO first");
        }
        for (mail, text) in std::mem::take(&mut self.waiting) {
            self.store(&mail, &text);
        }
        if let Some(mail) = self.mail.take().filter(|_| self.has(F::QuitDelivers)) {
            self.store(&mail, &mail.chunks);
        }
        if !self.has(F::QuitSilent) {
            self.say(221, "2.0.0", "goodbye");
        }
        if self.has(F::QuitStays) { Flow::On } else { Flow::Close }
    }

    pub(super) fn help(&mut self, argument: &[u8]) -> Flow {
        if self.has(F::HelpMissing) || self.has(F::ListsButRefuses) {
            return self.say(502, "5.5.1", "not implemented");
        }
        if !argument.is_empty() && self.has(F::HelpArgumentCloses) {
            return Flow::Close;
        }
        if self.has(F::RepliesTooLong) {
            return self.say(214, "2.0.0", "x".repeat(600));
        }
        if self.has(F::RepliesWithBareCr) {
            return self.say(214, "2.0.0", "commands:\rEHLO MAIL RCPT");
        }
        let lines = [&b"commands: EHLO HELO MAIL RCPT DATA BDAT"[..], b"RSET NOOP QUIT VRFY HELP"];
        self.reply(214, "2.0.0", &lines.map(<[u8]>::to_vec))
    }

    pub(super) fn vrfy(&mut self, argument: &[u8]) -> Flow {
        if let Some(mail) = &mut self.mail
            && mail.chunked
            && self.server.has(F::OnlyBdatAfterBdat)
        {
            mail.spoilt = true;
            return self.say(503, "5.5.1", "BDAT is wanted");
        }
        if self.has(F::VrfyMissing) {
            return self.say(502, "5.5.1", "not implemented");
        }
        let (utf8, who) = match argument.split_last_chunk::<9>() {
            Some((who, last)) if last.eq_ignore_ascii_case(b" SMTPUTF8") => (true, who),
            _ => (false, argument),
        };
        if utf8 && self.has(F::Utf8VrfyRefused) {
            return self.say(504, "5.5.4", "unknown parameter");
        }
        let valued = argument.to_ascii_uppercase().windows(10).any(|w| w == b" SMTPUTF8=");
        if valued && !self.has(F::SmtpUtf8Value) {
            return self.say(501, "5.5.4", "SMTPUTF8 takes no value");
        }
        if who.is_empty() && !self.has(F::VrfyWithoutArgument) {
            return self.say(501, "5.5.4", "who?");
        }
        if self.has(F::VrfyClears) {
            self.mail = None;
        }
        if !utf8 && !who.is_ascii() && !self.has(F::EightBitAddress) {
            return self.say(553, "5.6.7", "SMTPUTF8 is needed for that");
        }
        if self.has(F::RepliesTooLong) {
            return self.say(252, "2.1.5", "x".repeat(600));
        }
        if self.has(F::RepliesWithNul) {
            return self.say(252, "2.1.5", "perhaps\0");
        }
        if self.has(F::VrfyDenies) {
            return self.say(550, "5.1.1", "no such user");
        }
        if self.has(F::VrfyAlways250) {
            return self.say(250, "2.1.5", "<user1@example.test>");
        }
        if self.has(F::VrfyTells) {
            let who = who.strip_prefix(b"<").unwrap_or(who);
            let local = who.split(|&b| b == b'@').next().unwrap_or_default();
            return match self.server.mailbox(local) {
                Some(local) => self.say(250, "2.1.5", format!("<{local}@example.test>")),
                None => self.say(550, "5.1.1", "no such user"),
            };
        }
        self.say(252, "2.1.5", "send mail and see")
    }

    pub(super) fn etrn(&mut self, argument: &[u8]) -> Flow {
        if self.has(F::EtrnRefused) {
            return self.say(502, "5.5.1", "not implemented");
        }
        if self.has(F::EtrnClears) {
            self.mail = None;
        }
        if self.hello.is_none() || self.mail.is_some() {
            return self.say(503, "5.5.1", "not now");
        }
        let node = argument.strip_prefix(b"@").unwrap_or(argument);
        let good = is_domain(self.server, node) && node.is_ascii() && !node.starts_with(b"[");
        if !good && !self.has(F::EtrnWithoutArgument) {
            return self.say(501, "5.5.4", "a node is wanted");
        }
        self.say(251, "2.0.0", "no messages wait for that node")
    }

    pub(super) fn starttls(&mut self, argument: &[u8]) -> Flow {
        if self.has(F::StarttlsHidden) {
            return self.say(502, "5.5.1", "not implemented");
        }
        if self.hello.is_none() && self.has(F::StarttlsUnknown) {
            return self.say(500, "5.5.1", "unknown command");
        }
        if !argument.is_empty() && !self.has(F::StarttlsArgument) {
            return self.say(501, "5.5.4", "STARTTLS takes no argument");
        }
        if self.stream.is_secure() {
            if self.has(F::StarttlsTwice) {
                return self.say(220, "2.0.0", "go on");
            }
            return self.say(503, "5.5.1", "this is TLS");
        }
        if self.port == Port::BrokenTls {
            let says_220 = self.has(F::BrokenTls220);
            if !self.has(F::BrokenTlsCloses) && !says_220 {
                return self.say(454, "4.7.0", "no certificate");
            }
            if says_220 {
                self.say(220, "2.0.0", "go on");
            }
            return Flow::Close;
        }
        let behind = std::mem::take(&mut self.stream.unread);
        self.say(if self.has(F::StarttlsGets250) { 250 } else { 220 }, "2.0.0", "go on");
        let lines = behind.iter().rposition(|&b| b == b'\n').map_or(0, |at| at + 1);
        if self.has(F::RunsInjected) {
            self.stream.unread = behind;
        } else if self.has(F::RunsInjectedLines) {
            self.stream.unread = behind[..lines].to_vec();
        } else if self.has(F::GluesHalfLine) {
            self.stream.unread = behind[lines..].to_vec();
        }
        let tls = Arc::clone(&self.server.tls);
        if !self.stream.start_tls(&tls, &[]) {
            if self.has(F::TlsErrorInClear) || self.has(F::TlsErrorCloses) {
                self.say(454, "4.7.0", "TLS failed");
                return if self.has(F::TlsErrorCloses) { Flow::Close } else { Flow::On };
            }
            return Flow::Close;
        }
        if !self.has(F::TlsKeepsEhlo) && !self.has(F::TlsKeepsMail) {
            self.hello = None;
        }
        if !self.has(F::TlsKeepsMail) {
            self.mail = None;
        }
        if !self.has(F::TlsKeepsAuth) {
            self.user = None;
        }
        self.resumed();
        Flow::On
    }

    /// A handshake is over.
    pub(super) fn resumed(&mut self) {
        if self.has(F::ResumedIsLogin) && self.stream.is_resumed() {
            self.user = Some(USER.into());
        }
    }
}
