//! Answers that come later, by events: a question is kept and answered when somebody else knows.

use smtp_proto::{
    server::{Event, Pending, ServerConnection, Stale, op},
    wire::Refused,
};

/// Questions that were asked of somebody else, a database say, and are not answered yet.
#[derive(Debug, Default)]
pub struct Asked {
    open: Vec<(String, Pending<op::Rcpt>)>,
}

impl Asked {
    /// Keeps the question of a RCPT; everything else is answered at once. Gives whom to look up.
    pub fn ask(&mut self, smtp: &mut ServerConnection, event: Event<'_>) -> Option<String> {
        match event {
            Event::Rcpt { rcpt, pending } => {
                let to = rcpt.to.to_string();
                self.open.push((to.clone(), pending));
                Some(to)
            }
            other => {
                smtp.answer_default(other);
                None
            }
        }
    }

    /// The look-up of `to` is done. Answers may come in any order; replies leave in the right one.
    ///
    /// # Errors
    /// [`Stale`]: the decision timer or the peer was faster.
    pub fn tell(
        &mut self,
        smtp: &mut ServerConnection,
        to: &str,
        known: bool,
    ) -> Result<(), Stale> {
        let Some(at) = self.open.iter().position(|(asked, _)| asked == to) else {
            return Ok(());
        };
        let (_, pending) = self.open.swap_remove(at);
        if known { smtp.accept(pending) } else { smtp.refuse(pending, &Refused::NO_SUCH_USER) }
    }
}

#[cfg(test)]
mod tests {
    use super::Asked;
    use smtp_proto::{
        Instant, Limits, Need, Step,
        server::{ServerConfig, ServerConnection, Start},
        wire::Host,
    };

    #[test]
    fn answers_in_any_order_are_replies_in_the_right_one() {
        let mut limits = Limits::default();
        limits.decisions_in_flight = 8; // questions open at once
        let host = Host::parse("mx.example.test").unwrap();
        let config = ServerConfig::builder(host).limits(limits).build();
        let mut smtp = ServerConnection::new(config, Start::Plain);
        let mut input: &[u8] = b"EHLO a.test\r\nMAIL FROM:<>\r\nRCPT TO:<a@x.test>\r\n\
            RCPT TO:<b@x.test>\r\nNOOP\r\n";
        let (mut asked, mut open, mut sent) = (Asked::default(), Vec::new(), Vec::new());
        let need = loop {
            match smtp.poll_event(&mut input, Instant::ZERO) {
                Step::Event(event) => open.extend(asked.ask(&mut smtp, event)),
                Step::Need(need) => break need,
                Step::Closed(why) => panic!("{why:?}"),
            }
        };
        assert_eq!(
            (need, &open[..]),
            (Need::Decision, &["<a@x.test>".into(), "<b@x.test>".into()][..])
        );
        asked.tell(&mut smtp, "<b@x.test>", true).unwrap();
        asked.tell(&mut smtp, "<a@x.test>", false).unwrap();
        assert!(matches!(smtp.poll_event(&mut input, Instant::ZERO), Step::Need(Need::Input)));
        while let Some(octets) = smtp.poll_transmit() {
            sent.extend_from_slice(octets);
            let n = octets.len();
            smtp.handle_transmitted(n);
        }
        let sent = String::from_utf8(sent).unwrap();
        let replies: Vec<_> = sent.lines().rev().take(3).collect();
        assert_eq!(
            replies,
            ["250 2.0.0 Ok", "250 2.1.5 Recipient ok", "550 5.1.1 No such user here"]
        );
    }
}
