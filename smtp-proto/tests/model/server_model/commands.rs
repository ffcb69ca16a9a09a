//! The commands: when they may come (RFC 5321 §4.1.4), and what they are answered.

use super::{Mode, Model, Stage};

/// What is wrong with a command, beside its reply.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wrong {
    Anything,
    /// Only that it came now.
    Order,
    /// Nothing: a limit is reached, and the client is to go on (§4.5.3.1.10).
    Limit,
}

type Outcome = Result<(), (&'static str, Wrong)>;

fn wrong(reply: &'static str) -> Outcome {
    Err((reply, Wrong::Anything))
}

/// §4.1.4: 503. RFC 3463 §3.6: X.5.1.
const ORDER: Outcome = Err(("503 5.5.1", Wrong::Order));

impl Model {
    /// Takes the next line, if one is whole.
    ///
    /// §2.3.8: it ends at CRLF and nowhere else, and has no CR, LF or NUL in it. §4.5.3.1.4 and RFC
    /// 4954 §4 say how long it may be.
    pub(super) fn take_line(&mut self) -> bool {
        let unread = self.input.make_contiguous();
        let Some(end) = unread.windows(2).position(|pair| pair == b"\r\n") else {
            return false;
        };
        let octets: Vec<u8> = self.input.drain(..end + 2).collect();
        let line = &octets[..end];
        self.wait = None;
        let in_auth = self.stage == Stage::AuthLine;
        let begins = line.get(..4).unwrap_or_default();
        let long = if in_auth || begins.eq_ignore_ascii_case(b"AUTH") { 12_288 } else { 2_048 };
        let is_long = octets.len() > long;
        let is_bad = line.iter().any(|octet| matches!(octet, b'\r' | b'\n' | 0));
        match (in_auth, is_long, is_bad) {
            (false, true, _) => self.fault("500 5.5.2"),
            (false, _, true) => self.fault("500 5.5.2"),
            (false, ..) => self.command(&String::from_utf8_lossy(line)),
            // RFC 4954 §4: 500 to a line that is too long.
            (true, true, _) => self.bad_response("500 5.5.6"),
            (true, ..) => self.auth_response(&String::from_utf8_lossy(line)),
        }
        true
    }

    /// A rule was broken; one too many times, and it is 421 and the end (§3.8).
    fn judge(&mut self, reply: &str) -> String {
        self.violations += 1;
        if self.violations < self.setup.violations {
            return reply.into();
        }
        self.closing = Some("Violations");
        if reply.contains(' ') { "421 4.7.0".into() } else { "421".into() }
    }

    fn fault(&mut self, reply: &str) {
        let reply = self.judge(reply);
        self.say(&reply);
    }

    fn command(&mut self, line: &str) {
        if self.violations >= self.setup.violations {
            // The last straw was in a message.
            self.say("421 4.7.0");
            self.closing = Some("Violations");
            return;
        }
        // §2.4: verbs are compared without case. §4.1.1: blanks at the end are nothing.
        let line = line.trim_end_matches([' ', '\t']);
        let (verb, args) = line.split_once(' ').unwrap_or((line, ""));
        let verb = verb.to_ascii_uppercase();
        // RFC 2920 §3.1: what a client had sent behind a MAIL or RCPT before it heard of the refusal
        // is no fault of its own, if that is no more than the recipients of a transaction.
        if !["RCPT", "DATA", "BDAT"].contains(&verb.as_str()) {
            self.forgiven = 0;
        }
        let outcome = match verb.as_str() {
            "EHLO" | "HELO" | "LHLO" => self.hello(&verb, args),
            "MAIL" => self.mail(args),
            "RCPT" => self.rcpt(args),
            "DATA" => self.data(args),
            "BDAT" => self.bdat(args),
            "RSET" => self.rset(args),
            "QUIT" => self.quit(args),
            "NOOP" | "HELP" | "VRFY" | "EXPN" => self.information(&verb, args),
            "STARTTLS" => self.start_tls(args),
            "AUTH" => self.auth(args),
            "XCLIENT" => self.xclient(args),
            "ETRN" => self.etrn(args),
            "XPEACE" => self.peace(args),
            "GET" => {
                // Another protocol: nothing of it may run.
                self.violations += 1;
                self.say("421 4.7.0");
                self.closing = Some("Violations");
                Ok(())
            }
            // §4.2.4
            _ => wrong("500 5.5.1"),
        };
        if let Err((reply, what)) = outcome {
            match what {
                Wrong::Limit => self.say(reply),
                Wrong::Order if self.forgiven > 0 => {
                    self.forgiven -= 1;
                    self.say(reply);
                }
                _ => self.fault(reply),
            }
            // A RCPT without a transaction is the client's own fault, and excuses no other.
            if verb == "MAIL" || (verb == "RCPT" && what != Wrong::Order) {
                self.forgiven = self.setup.recipients;
            }
        }
        if verb == "DATA" {
            self.forgiven = 0;
        }
    }

    /// §4.1.1.1, §4.1.4; RFC 2033 §4.1: LHLO, and only that, in LMTP. RFC 2034 §3: no enhanced code.
    fn hello(&mut self, verb: &str, args: &str) -> Outcome {
        if (verb == "LHLO") != (self.setup.mode == Mode::Lmtp) {
            return wrong("500");
        }
        if self.rejected {
            return Err(("503", Wrong::Order));
        }
        if args.is_empty() {
            return wrong("501");
        }
        self.hello_asked = match verb {
            "EHLO" => "EHLO",
            "LHLO" => "LHLO",
            _ => "HELO",
        };
        self.ask("hello", &format!("hello {verb} {args}"));
        Ok(())
    }

    /// §4.1.1.2, §4.1.4: after a greeting, one at a time. RFC 6409 §4.3: not before AUTH.
    fn mail(&mut self, args: &str) -> Outcome {
        if self.rejected || self.hello.is_none() || self.mail {
            return ORDER;
        }
        if self.setup.mode == Mode::Submission && !self.authenticated {
            return Err(("530 5.7.0", Wrong::Order));
        }
        let Some((_, params)) = path_and_params(args, "FROM:") else {
            return wrong("501 5.1.7");
        };
        (self.binary_asked, self.utf8_asked) = (false, false);
        let params: Vec<&str> = params.split(' ').filter(|param| !param.is_empty()).collect();
        for (place, param) in params.iter().enumerate() {
            let (keyword, value) = param.split_once('=').unwrap_or((param, ""));
            self.check_param("MAIL", keyword, &params[..place])?;
            match keyword {
                // RFC 1870 §6.1: 552 to what is too large.
                "SIZE" if value.parse::<u64>().unwrap() > self.setup.message => {
                    return wrong("552 5.3.4");
                }
                // RFC 3030 §3
                "BODY" if value == "BINARYMIME" && !self.offer().binarymime => {
                    return wrong("504 5.5.4");
                }
                "BODY" => self.binary_asked = value == "BINARYMIME",
                // RFC 6531 §3.4: without a value.
                "SMTPUTF8" if param.contains('=') => return wrong("501 5.5.4"),
                "SMTPUTF8" => self.utf8_asked = true,
                // RFC 3461 §4.3
                "RET" if !["FULL", "HDRS"].contains(&value) => return wrong("501 5.5.4"),
                _ => {}
            }
        }
        // RFC 6531 §3.4, §4.2
        if !self.utf8_asked && !args.is_ascii() {
            return wrong("553 5.6.7");
        }
        if self.transactions >= self.setup.transactions {
            return Err(("452 4.5.3", Wrong::Limit));
        }
        self.ask("mail", &format!("mail {args}"));
        Ok(())
    }

    /// §4.1.1.3: behind MAIL. §4.5.3.1.10: 452 to one too many.
    fn rcpt(&mut self, args: &str) -> Outcome {
        if !self.mail || self.chunked || self.failed {
            return ORDER;
        }
        let Some((path, params)) = path_and_params(args, "TO:").filter(|(path, _)| *path != "<>")
        else {
            return wrong("501 5.1.3");
        };
        // RFC 6531 §3.4: as the transaction was asked for.
        if !self.utf8 && !path.is_ascii() {
            return wrong("553 5.6.7");
        }
        let params: Vec<&str> = params.split(' ').filter(|param| !param.is_empty()).collect();
        for (place, param) in params.iter().enumerate() {
            let (keyword, value) = param.split_once('=').unwrap_or((param, ""));
            self.check_param("RCPT", keyword, &params[..place])?;
            // RFC 3461 §4.1: NEVER stands alone.
            let when = |word| ["SUCCESS", "FAILURE", "DELAY"].contains(&word);
            if keyword == "NOTIFY" && value != "NEVER" && !value.split(',').all(when) {
                return wrong("501 5.5.4");
            }
        }
        if self.recipients >= self.setup.recipients {
            return Err(("452 4.5.3", Wrong::Limit));
        }
        self.ask("rcpt", &format!("rcpt {args}"));
        Ok(())
    }

    /// §2.2.1: after HELO there are no parameters, and else only those of what was offered; §4.1.1.11:
    /// 555. §4.1.2: each once.
    fn check_param(&self, verb: &str, keyword: &str, before: &[&str]) -> Outcome {
        let offered = match (verb, keyword) {
            ("MAIL", "SIZE" | "BODY") => true,
            ("MAIL", "SMTPUTF8") => self.offer().smtputf8,
            ("MAIL", "RET" | "ENVID") | ("RCPT", "NOTIFY" | "ORCPT") => self.offer().dsn,
            ("MAIL", "X-A") | ("RCPT", "X-B") => self.offer().peace,
            _ => false,
        };
        if !offered || self.hello == Some("HELO") {
            return wrong("555 5.5.4");
        }
        let same = |param: &&str| param.split('=').next() == Some(keyword);
        if before.iter().any(same) { wrong("501 5.5.4") } else { Ok(()) }
    }

    /// §4.1.1.4: behind RCPT. RFC 3030 §2, §3: not between BDATs, nor for binary content.
    fn data(&mut self, args: &str) -> Outcome {
        let outcome = if self.recipients == 0 || self.binary || self.chunked || self.failed {
            ORDER
        } else if !args.is_empty() {
            wrong("501 5.5.4")
        } else {
            self.past_data = !self.input.is_empty();
            self.message.last = true;
            self.message.in_chunks = false;
            self.ask("data", "data dot");
            return Ok(());
        };
        self.no_text_as_commands(outcome)
    }

    /// RFC 2920 §3.1: a client that did not wait for 354 has sent its message as commands. They must
    /// not run.
    fn no_text_as_commands(&mut self, outcome: Outcome) -> Outcome {
        if self.input.is_empty() {
            return outcome;
        }
        self.closing = Some("Violations");
        outcome.map_err(|(reply, _)| (reply, Wrong::Anything))
    }

    /// RFC 3030 §2: its octets follow it whatever the answer; a failed one fails the message.
    fn bdat(&mut self, args: &str) -> Outcome {
        let offered = self.offer().chunking && self.hello != Some("HELO");
        let (size, last) = match args.strip_suffix(" LAST") {
            Some(size) => (size, true),
            None => (args, false),
        };
        let in_order = self.recipients > 0 && !self.failed;
        let Ok(size) = size.parse::<u64>() else {
            if !offered {
                return self.no_text_as_commands(wrong("502 5.5.1"));
            }
            if in_order {
                self.abort_body("Reset");
                self.failed = true;
            }
            return self.no_text_as_commands(wrong("501 5.5.4"));
        };
        (self.message.chunk, self.message.last) = (size, last);
        self.message.in_chunks = true;
        if !offered {
            self.refuse_chunk("502 5.5.1", Wrong::Anything);
        } else if !in_order {
            self.refuse_chunk("503 5.5.1", Wrong::Order);
        } else if self.message.size + size > self.setup.message {
            self.abort_body("TooLarge");
            self.failed = true;
            self.refuse_chunk("552 5.3.4", Wrong::Anything);
        } else if self.chunked {
            self.stage = Stage::Chunk;
        } else {
            self.ask("data", "data chunked");
        }
        Ok(())
    }

    fn refuse_chunk(&mut self, reply: &str, what: Wrong) {
        let forgiven = what == Wrong::Order && self.forgiven > 0;
        self.forgiven -= usize::from(forgiven);
        let reply = if forgiven { reply.into() } else { self.judge(reply) };
        self.swallow_chunk(&reply);
    }

    /// §4.1.1.5: at any time; what is open is gone.
    fn rset(&mut self, args: &str) -> Outcome {
        if self.rejected {
            return ORDER;
        }
        if !args.is_empty() {
            return wrong("501 5.5.4");
        }
        self.abort_body("Reset");
        self.end_transaction("Rset");
        self.say("250 2.0.0");
        Ok(())
    }

    /// §4.1.1.10: at any time; §3.1: after a refused greeting too.
    fn quit(&mut self, args: &str) -> Outcome {
        if !args.is_empty() {
            return wrong("501 5.5.4");
        }
        self.say("221 2.0.0");
        self.close("Quit", "Closed");
        Ok(())
    }

    /// §4.1.1.6 to §4.1.1.9: at any time, before EHLO too (§4.1.4).
    fn information(&mut self, verb: &str, args: &str) -> Outcome {
        if verb == "EXPN" && !self.offer().expn {
            return wrong("502 5.5.1");
        }
        if self.rejected {
            return ORDER;
        }
        match verb {
            "NOOP" => self.say("250 2.0.0"),
            "HELP" => self.ask("help", "help"),
            _ if args.is_empty() => return wrong("501 5.5.4"),
            "VRFY" => self.ask("vrfy", &format!("vrfy {args}")),
            _ => self.ask("expn", &format!("expn {args}")),
        }
        Ok(())
    }

    /// RFC 3207 §4: once, behind EHLO, nothing in a group behind it.
    fn start_tls(&mut self, args: &str) -> Outcome {
        if !self.offer().starttls {
            return wrong("502 5.5.1");
        }
        if self.tls || self.rejected || self.hello.is_none() || self.chunked || self.failed {
            return ORDER;
        }
        if !args.is_empty() {
            return wrong("501 5.5.4");
        }
        if !self.input.is_empty() {
            self.closing = Some("Residue");
            return wrong("503 5.5.1");
        }
        self.ask("starttls", "starttls");
        Ok(())
    }

    /// RFC 4954 §4: behind EHLO, once, not in a transaction, and not in clear where that is unwanted.
    fn auth(&mut self, args: &str) -> Outcome {
        if !self.offer().auth || self.hello == Some("HELO") {
            return wrong("502 5.5.1");
        }
        if self.rejected || self.hello.is_none() || self.mail || self.authenticated {
            return ORDER;
        }
        if !self.tls && !self.offer().auth_in_clear {
            return wrong("538 5.7.11");
        }
        let (mechanism, initial) = args.split_once(' ').unwrap_or((args, ""));
        if mechanism.is_empty() {
            return wrong("501 5.5.4");
        }
        if initial != "=" && !is_base64(initial) {
            return wrong("501 5.5.2");
        }
        if !["PLAIN", "LOGIN"].contains(&mechanism) {
            return wrong("504 5.5.4");
        }
        self.in_auth = true;
        self.ask("auth", &format!("auth {args}"));
        Ok(())
    }

    /// Postfix's XCLIENT_README: from those who are offered it, not in a transaction.
    fn xclient(&mut self, args: &str) -> Outcome {
        if !self.offer().xclient || self.hello == Some("HELO") {
            return wrong("550 5.7.0");
        }
        if self.rejected || self.mail {
            return ORDER;
        }
        if args.is_empty() {
            return wrong("501 5.5.4");
        }
        self.login_asked = args.contains("LOGIN=");
        self.ask("xclient", "xclient");
        Ok(())
    }

    /// RFC 1985 §5: behind EHLO. RFC 6409 §7: not for those who submit.
    fn etrn(&mut self, args: &str) -> Outcome {
        let offered = self.offer().etrn && self.setup.mode != Mode::Submission;
        if !offered || self.hello == Some("HELO") {
            return wrong("502 5.5.1");
        }
        if self.rejected || self.hello.is_none() {
            return ORDER;
        }
        if args.is_empty() {
            return wrong("501 5.5.4");
        }
        self.ask("etrn", &format!("etrn {args}"));
        Ok(())
    }

    /// §2.2.2: a command of the embedder's own, for those who heard of it. §4.2.4: else there is none.
    fn peace(&mut self, args: &str) -> Outcome {
        if !self.offer().peace || self.hello.is_none() || self.hello == Some("HELO") {
            return wrong("500 5.5.1");
        }
        if self.rejected {
            return ORDER;
        }
        self.ask("command", &format!("command XPEACE {args}"));
        Ok(())
    }

    /// RFC 4954 §4: the answer to a 334; `*` cancels.
    fn auth_response(&mut self, line: &str) {
        if line == "*" {
            self.end_auth("Cancelled");
            self.stage = Stage::Commands;
            self.say("501 5.7.0");
        } else if is_base64(line) {
            self.ask("auth", &format!("response {line}"));
        } else {
            self.bad_response("501 5.5.2");
        }
    }

    fn bad_response(&mut self, reply: &str) {
        self.end_auth("Malformed");
        self.stage = Stage::Commands;
        self.fault(reply);
    }
}

/// `FROM:<a@b> PARAMS` in its parts; `None` if there is no path in it.
fn path_and_params<'a>(args: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    let rest = args.strip_prefix(prefix)?;
    let end = rest.find('>')? + 1;
    let (path, params) = rest.split_at(end);
    path.starts_with('<').then_some((path, params.trim_start()))
}

/// RFC 4648 §4, as far as the scripts have it.
fn is_base64(text: &str) -> bool {
    let digits = text.trim_end_matches('=');
    text.len().is_multiple_of(4)
        && digits.chars().all(|c| c.is_ascii_alphanumeric() || c == '+' || c == '/')
}
