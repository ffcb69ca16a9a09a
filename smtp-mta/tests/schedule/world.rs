//! Messages, outcomes and times for the tests.

use smtp_mta::{
    message_id::MessageId,
    policy::DomainName,
    queue::{Attempt, Entry, Envelope, NewRecipient, Recipient, Timestamp},
    retry::{Retry, RetryPolicy},
    route::Router,
    schedule::{Outcome, Verdict},
};
use smtp_proto::{
    ext::Notify,
    wire::{ForwardPath, Mailbox, ReversePath},
};
use std::{collections::BTreeMap, sync::Arc, time::Duration};

pub(crate) const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

pub(crate) fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// The name of the message number `number`, below 1024.
pub(crate) fn id(number: usize) -> MessageId {
    const DIGITS: &[u8] = b"0123456789abcdefghjkmnpqrstvwxyz";
    let digit = |place: usize| char::from(DIGITS[(number >> (5 * place)) & 31]);
    let text = format!("{:021}{}{}", 0, digit(1), digit(0));
    MessageId::parse(&text).unwrap()
}

pub(crate) fn to(address: &str) -> NewRecipient {
    NewRecipient::new(ForwardPath::Mailbox(Mailbox::parse(address).unwrap().into_static()))
}

pub(crate) fn notify(to: NewRecipient, notify: Notify) -> NewRecipient {
    NewRecipient { notify: Some(notify), ..to }
}

/// A message from `from`, or from nobody if that is empty.
pub(crate) fn message(
    number: usize,
    from: &str,
    recipients: Vec<NewRecipient>,
    received: Timestamp,
) -> Entry {
    let from = match from {
        "" => ReversePath::Null,
        from => ReversePath::Mailbox(Mailbox::parse(from).unwrap().into_static()),
    };
    let recipients = recipients.into_iter().map(|new| Recipient::new(new, received)).collect();
    let envelope = Envelope::new(from);
    Entry { id: id(number), envelope, size: 1000, received, recipients }
}

pub(crate) fn outcome(verdict: Verdict, at: Timestamp) -> Outcome {
    let reply = match verdict {
        Verdict::Delivered | Verdict::Relayed { .. } => "250 2.0.0 thanks",
        Verdict::Delayed => "450 4.2.0 later",
        Verdict::Failed => "550 5.1.1 nobody",
    };
    let attempt = Attempt { at, host: "mx.test".into(), reply: reply.into(), dialogue: None };
    Outcome { verdict, attempt }
}

/// The same for all domains.
pub(crate) fn policy(all: Retry) -> Arc<RetryPolicy> {
    Arc::new(RetryPolicy { all, domains: BTreeMap::new() })
}

/// One that has the mail of `local.test` here.
pub(crate) fn router() -> Arc<Router> {
    Arc::new(Router::new(DomainName::new("local.test"), Vec::new()))
}

/// SplitMix64.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.next() % end
    }

    pub(crate) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len() as u64) as usize]
    }
}
