//! A message on its way to all of its recipients, in as many transactions as it takes.

use crate::{
    body::{Body, Source, Survey, Unreadable},
    connection::Connection,
    envelope::Envelope,
    mx,
    outcome::{Cause, Failure, Outcome, Stage},
    policy::{EightBit, Said},
    seven_bit::{self, Obstacle},
    transaction::{self, Transaction},
};
use smtp_driver::{Runtime, Stream, tls::Verified};
use smtp_proto::{
    EnhancedCode,
    body::ContentFault,
    client::Capabilities,
    ext::{BodyType, ByMode, DeliverBy},
    wire::{ForwardPath, Host, Mail, Mailbox, Rcpt, ReversePath},
};
use std::{collections::VecDeque, sync::Arc};

/// A recipient of the envelope, as this server is told of it.
pub(crate) struct Addressee {
    /// Its place in the envelope.
    pub(crate) place: usize,
    pub(crate) rcpt: Rcpt<'static>,
}

/// Sends the message; one outcome for each recipient, in their order.
pub(crate) async fn deliver<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    envelope: &Envelope,
    source: &mut Source<B>,
) -> Vec<Outcome> {
    let mut outcomes = vec![None; envelope.recipients().len()];
    let rest = match plan(conn, envelope, source, &mut outcomes).await {
        Ok((mail, waiting)) => run(conn, &mail, waiting, source, &mut outcomes).await,
        Err(failure) => failure,
    };
    let outcome = |outcome: Option<Outcome>| outcome.unwrap_or_else(|| rest.clone().into());
    let outcomes: Vec<_> = outcomes.into_iter().map(outcome).collect();
    if conn.is_watched() {
        show_failures(conn, &outcomes);
    }
    outcomes
}

/// Shows what the server has not said, once where it is the same for several.
fn show_failures<S: Stream, R: Runtime>(conn: &Connection<S, R>, outcomes: &[Outcome]) {
    let ours = outcomes.iter().filter(|outcome| outcome.cause != Cause::Server);
    let mut before: Option<&Outcome> = None;
    for outcome in ours {
        if before.is_none_or(|before| !Arc::ptr_eq(&before.reply, &outcome.reply)) {
            let Outcome { stage, cause, ref reply, ref host, .. } = *outcome;
            let failure = Failure { stage, reply: reply.clone(), cause, host: host.clone() };
            conn.show(Said::Failure(&failure));
        }
        before = Some(outcome);
    }
}

/// Runs transactions until every recipient has an outcome; the failure is that of those who have
/// none.
async fn run<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    mail: &Mail<'static>,
    mut waiting: VecDeque<Addressee>,
    source: &mut Source<B>,
    outcomes: &mut [Option<Outcome>],
) -> Failure {
    let mut is_first = true;
    loop {
        let batch = take_batch(conn, &mut waiting);
        if batch.is_empty() {
            break conn.no_domains_left();
        }
        if !std::mem::take(&mut is_first) {
            if !source.can_repeat() {
                let text = "the server takes no more recipients at once, and the message can be \
                            read only once";
                let enhanced = EnhancedCode::transient(5, 3);
                break conn.local(Stage::Prepare, Cause::Limit, enhanced, text);
            }
            if let Err(error) = source.restart().await {
                break conn.unreadable(Stage::Prepare, &error);
            }
            if !conn.has_transactions_left() {
                break conn.no_transactions_left();
            }
        }
        let mut transaction = Transaction::new(batch);
        let ended = transaction::run(conn, &mut transaction, mail, source).await;
        // Those whom the server wanted later come first, with their reply should it never come.
        for addressee in transaction.settle(ended.as_ref().err(), outcomes).into_iter().rev() {
            waiting.push_front(addressee);
        }
        if let Err(failure) = ended {
            break failure.for_others();
        }
    }
}

/// The recipients of the next transaction (LIMITS, RFC 9422 §4.2, §4.3). Those whose domain is one too
/// many for the connection stay behind the others.
fn take_batch<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    waiting: &mut VecDeque<Addressee>,
) -> Vec<Addressee> {
    let most = conn.capabilities().max_recipients.map_or(usize::MAX, |most| most as usize);
    let mut batch = Vec::new();
    for _ in 0..waiting.len() {
        if batch.len() == most {
            break;
        }
        let Some(next) = waiting.pop_front() else { break };
        match conn.takes_domain(&next.rcpt.to) {
            true => batch.push(next),
            false => waiting.push_back(next),
        }
    }
    batch
}

/// What MAIL and RCPT are to say to this server. Recipients that cannot be said get their outcome.
///
/// # Errors
/// What keeps the message from all recipients.
async fn plan<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    envelope: &Envelope,
    source: &mut Source<B>,
    outcomes: &mut [Option<Outcome>],
) -> Result<(Mail<'static>, VecDeque<Addressee>), Failure> {
    let offered = conn.capabilities().clone();
    let mut mail = envelope.mail().clone();

    if envelope.content() == Some(BodyType::BinaryMime) {
        let text = "binary messages are not sent: encode the message";
        return Err(refused(conn, EnhancedCode::permanent(6, 3), text));
    }
    let survey = survey(conn, envelope, source).await?;
    mail.size = mail.size.or(survey.map(|survey| survey.size));
    mail.body = match (envelope.content(), survey) {
        // What was seen counts, whatever was declared.
        (_, Some(survey)) if survey.eight_bit => BodyType::EightBitMime,
        (Some(content), _) => content,
        (None, Some(_)) => BodyType::SevenBit,
        // Nobody has looked: as much as can be sent.
        (None, None) if offered.eight_bit_mime || conn.policy.eight_bit == EightBit::Convert => {
            BodyType::EightBitMime
        }
        (None, None) => BodyType::SevenBit,
    };
    if mail.body == BodyType::EightBitMime && !offered.eight_bit_mime {
        mail.size = Some(to_seven_bit(conn, source).await?);
        mail.body = BodyType::SevenBit;
    }
    if let (Some(size), Some(most)) = (mail.size, offered.max_size)
        && size > most
    {
        let text = format!("the message has {size} octets, of which the server takes {most}");
        return Err(refused(conn, EnhancedCode::permanent(3, 4), &text));
    }
    mail.size = mail.size.filter(|_| offered.size);

    // Where priorities mean nothing the message goes without (RFC 6710), and where nobody would tell
    // that it is late, too (RFC 2852): what else became of it would be worse.
    mail.priority = mail.priority.filter(|_| offered.mt_priority);
    let is_telling = |by: &DeliverBy| by.mode() == ByMode::Notify;
    mail.deliver_by = mail.deliver_by.filter(|by| offered.deliver_by || !is_telling(by));
    let verified = conn.tls().is_some_and(|tls| tls.verified == Verified::Yes);
    if let Some((enhanced, text)) = unkept(&mail, &offered, verified) {
        return Err(refused(conn, enhanced, text));
    }

    // RFC 3461 §5.2.2: the message goes without them, and who owes the notices is in the report.
    if !offered.dsn {
        (mail.ret, mail.envid) = (None, None);
    }
    mail.auth = mail.auth.filter(|_| !offered.auth.is_empty());

    let utf8 = offered.smtputf8;
    if !utf8 {
        if mail.smtputf8 {
            let text = "the message has headers in UTF-8, which the server does not take";
            return Err(refused(conn, EnhancedCode::permanent(6, 7), text));
        }
        mail.from = sender_in_ascii(mail.from)
            .ok_or_else(|| refused(conn, EnhancedCode::permanent(6, 7), NEEDS_UTF8))?;
    }
    let mut waiting = VecDeque::new();
    for (place, rcpt) in envelope.recipients().iter().enumerate() {
        let mut rcpt = rcpt.clone();
        if !offered.dsn {
            (rcpt.notify, rcpt.orcpt) = (None, None);
        }
        if !utf8 && !rcpt.to.is_ascii() {
            match recipient_in_ascii(rcpt.to) {
                Some(to) => rcpt.to = to,
                None => {
                    let failure = refused(conn, EnhancedCode::permanent(6, 7), NEEDS_UTF8);
                    outcomes[place] = Some(failure.into());
                    continue;
                }
            }
        }
        mail.smtputf8 |= !rcpt.to.is_ascii();
        waiting.push_back(Addressee { place, rcpt });
    }
    mail.smtputf8 |= !mail.from.is_ascii();
    Ok((mail, waiting))
}

/// What the sender wants that the server would not do with the message, so that it must not have it.
/// It is `verified` if TLS says that it is who it should be.
fn unkept(
    mail: &Mail<'_>,
    offered: &Capabilities,
    verified: bool,
) -> Option<(EnhancedCode, &'static str)> {
    // RFC 3463 §3.4: system not capable of selected features.
    const INCAPABLE: EnhancedCode = EnhancedCode::permanent(3, 3);
    let allows = |hold| offered.future_release.is_some_and(|offered| offered.allows(hold));
    let returns = |by: DeliverBy| {
        offered.deliver_by && !offered.min_deliver_by.is_some_and(|least| by.is_below(least))
    };
    if mail.hold.is_some_and(|hold| !allows(hold)) {
        return Some((INCAPABLE, "the server does not hold messages for so long"));
    }
    if mail.deliver_by.is_some_and(|by| !returns(by)) {
        return Some((INCAPABLE, "the server does not return messages that are late by then"));
    }
    // RFC 8689 §4.2.1.
    match mail.require_tls {
        true if !verified => {
            let text = "the message must not leave but by TLS with a server that is verified";
            Some((EnhancedCode::permanent(7, 10), text))
        }
        true if !offered.require_tls => {
            let text = "the message must have TLS all the way, which the server does not promise";
            Some((EnhancedCode::permanent(7, 30), text))
        }
        _ => None,
    }
}

const NEEDS_UTF8: &str = "the address needs SMTPUTF8, which the server does not offer";

fn refused<S: Stream, R: Runtime>(
    conn: &Connection<S, R>,
    enhanced: EnhancedCode,
    text: &str,
) -> Failure {
    conn.local(Stage::Prepare, Cause::NotOffered, enhanced, text)
}

/// Reads the message once, if that is worth it: what it shows was not declared, and the server
/// wants to know. `conn` is not shared while it reads, so that the stream need not be `Sync` for a
/// runtime to take the delivery to another thread.
async fn survey<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    envelope: &Envelope,
    source: &mut Source<B>,
) -> Result<Option<Survey>, Failure> {
    if envelope.mail().size.is_some() && envelope.content().is_some() {
        return Ok(None);
    }
    let survey = source.survey(conn.policy.machine.line_endings()).await;
    survey.map_err(|why| unreadable(conn, why))
}

/// Puts the message in 7-bit octets in its own place, if the policy wants that (RFC 6152 §3); says
/// how many they are.
async fn to_seven_bit<S: Stream, R: Runtime, B: Body>(
    conn: &mut Connection<S, R>,
    source: &mut Source<B>,
) -> Result<u64, Failure> {
    if conn.policy.eight_bit == EightBit::Refuse {
        let text = "the message has 8-bit octets, which the server does not take";
        return Err(refused(conn, EnhancedCode::permanent(6, 3), text));
    }
    let read = source.read_to_end(conn.policy.machine.line_endings(), seven_bit::MAX_SIZE).await;
    let message = read.map_err(|why| unreadable(conn, why))?.ok_or(Obstacle::TooLarge);
    let converted =
        message.and_then(|message| seven_bit::convert(&message)).map_err(|obstacle| {
            let text = format!(
                "the server takes no 8-bit octets, and the message cannot be converted: {obstacle}"
            );
            refused(conn, obstacle.enhanced(), &text)
        })?;
    let size = converted.len() as u64;
    source.replace(converted);
    Ok(size)
}

fn unreadable<S: Stream, R: Runtime>(conn: &Connection<S, R>, why: Unreadable) -> Failure {
    match why {
        Unreadable::Io(error) => conn.unreadable(Stage::Prepare, &error),
        Unreadable::Content(fault) => content(conn, Stage::Prepare, fault),
    }
}

/// Octets that may not be sent (RFC 3463 §3.7).
pub(crate) fn content<S: Stream, R: Runtime>(
    conn: &Connection<S, R>,
    stage: Stage,
    fault: ContentFault,
) -> Failure {
    let enhanced = match fault {
        ContentFault::EightBit => EnhancedCode::permanent(6, 3),
        _ => EnhancedCode::permanent(6, 0),
    };
    conn.local(stage, Cause::Message, enhanced, &fault.to_string())
}

fn sender_in_ascii(from: ReversePath<'static>) -> Option<ReversePath<'static>> {
    match from {
        ReversePath::Null => Some(ReversePath::Null),
        ReversePath::Mailbox(mailbox) => in_ascii(mailbox).map(ReversePath::Mailbox),
    }
}

fn recipient_in_ascii(to: ForwardPath<'static>) -> Option<ForwardPath<'static>> {
    match to {
        ForwardPath::Postmaster => Some(ForwardPath::Postmaster),
        ForwardPath::Mailbox(mailbox) => in_ascii(mailbox).map(ForwardPath::Mailbox),
    }
}

/// The same mailbox with A-labels (RFC 5890 §2.3.2.1), for a server without SMTPUTF8; a local part
/// outside ASCII has no other form (RFC 6530 §8).
fn in_ascii(mailbox: Mailbox<'static>) -> Option<Mailbox<'static>> {
    let Mailbox { local_part, host } = mailbox;
    if !local_part.is_ascii() {
        return None;
    }
    let host = match host {
        Host::Domain(domain) if !domain.is_ascii() => Host::Domain(mx::in_ascii(&domain).ok()?),
        host => host,
    };
    Some(Mailbox { local_part, host })
}
