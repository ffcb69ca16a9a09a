//! Waiting for verdicts, and putting them to the machine.

use crate::{
    handler::{Envelope, Handler, Recipient, Verdict},
    link::Link,
    recv_buffer::Ahead,
    runtime::Runtime,
    stream::Stream,
};
use smtp_proto::{
    Instant, Step, Violation,
    server::{Event, Pending, ServerConnection, Stale, op},
    wire::Rcpt,
};
use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io, mem,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

/// Awaits the verdict on `pending`; `None` if the question is moot before there is one.
pub(crate) async fn decide<S: Stream, R: Runtime, O: op::Op, T>(
    link: &mut Link<'_, S, R>,
    ahead: &mut Ahead<'_>,
    pending: &Pending<O>,
    mut verdict: Pin<&mut (impl Future<Output = T> + ?Sized)>,
) -> io::Result<Option<T>> {
    poll_fn(|cx| {
        if let Poll::Ready(verdict) = verdict.as_mut().poll(cx) {
            return Poll::Ready(Ok(Some(verdict)));
        }
        link.poll_background(cx, ahead)?;
        if link.conn.is_waiting(pending) { Poll::Pending } else { Poll::Ready(Ok(None)) }
    })
    .await
}

/// Awaits a verdict to its end, even when its question is moot or the stream is broken: what it
/// does, such as a commit, must not be cut off half-way.
pub(crate) async fn complete<S: Stream, R: Runtime, T>(
    link: &mut Link<'_, S, R>,
    ahead: &mut Ahead<'_>,
    mut verdict: Pin<&mut impl Future<Output = T>>,
) -> (T, io::Result<()>) {
    let mut stream = Ok(());
    let verdict = poll_fn(|cx| {
        let verdict = verdict.as_mut().poll(cx);
        if verdict.is_pending() && stream.is_ok() {
            stream = link.poll_background(cx, ahead).map(|_| ());
        }
        verdict
    })
    .await;
    (verdict, stream)
}

/// Answers a question whose yes may have words. Returns the code of the reply.
pub(crate) fn answer<O: op::Worded + op::Refuse>(
    conn: &mut ServerConnection,
    pending: Pending<O>,
    verdict: &Verdict,
    yes: u16,
) -> Result<u16, Stale> {
    match verdict {
        Verdict::AcceptWith((), words) => conn.accept_with(pending, words).map(|()| words.code()),
        _ => answer_wordless(conn, pending, verdict, yes),
    }
}

/// Answers a question whose yes has words of the machine's own.
pub(crate) fn answer_wordless<O: op::Accept + op::Refuse>(
    conn: &mut ServerConnection,
    pending: Pending<O>,
    verdict: &Verdict,
    yes: u16,
) -> Result<u16, Stale> {
    match verdict {
        Verdict::Accept(()) | Verdict::AcceptWith((), _) => conn.accept(pending).map(|()| yes),
        Verdict::Refuse(reply) => conn.refuse(pending, reply).map(|()| reply.code()),
        Verdict::Disconnect(reply) => conn.disconnect(pending, reply).map(|()| reply.code()),
    }
}

/// What the handler is told when it is free again.
pub(crate) enum Note {
    Violation(Violation),
    Replied(u16, Duration),
}

/// RCPT questions that are decided at the same time.
pub(crate) struct RcptGroup<'h, 'b, H: Handler> {
    handler: &'h H,
    /// In command order, which is the order of the envelope.
    slots: VecDeque<Slot<'h, 'b, H::Recipient>>,
    notes: Vec<Note>,
}

enum Slot<'h, 'b, T> {
    Open(Open<'h, 'b, T>),
    Accepted(Recipient<T>),
    Dropped,
}

struct Open<'h, 'b, T> {
    pending: Pending<op::Rcpt>,
    asked: Instant,
    verdict: Pin<Box<dyn Future<Output = (Rcpt<'b>, Verdict<T>)> + Send + 'h>>,
}

impl<'h, 'b: 'h, H: Handler> RcptGroup<'h, 'b, H> {
    pub(crate) fn new(handler: &'h H) -> Self {
        Self { handler, slots: VecDeque::new(), notes: Vec::new() }
    }

    /// Asks the handler about one more recipient.
    pub(crate) fn ask<S: Stream, R: Runtime>(
        &mut self,
        link: &Link<'_, S, R>,
        rcpt: Rcpt<'b>,
        pending: Pending<op::Rcpt>,
    ) {
        let (handler, session) = (self.handler, link.conn.session());
        let verdict = Box::pin(async move {
            let verdict = handler.rcpt(session, &rcpt).await;
            (rcpt, verdict)
        });
        self.slots.push_back(Slot::Open(Open { pending, asked: link.now(), verdict }));
    }

    /// Decides all that was asked and all further RCPT commands that the machine hands out
    /// meanwhile, and adds those accepted to `envelope`.
    pub(crate) async fn run<S: Stream, R: Runtime>(
        mut self,
        link: &mut Link<'_, S, R>,
        envelope: &mut Envelope<H::Recipient>,
        unread: &mut &'b [u8],
        ahead: &mut Ahead<'_>,
    ) -> io::Result<Vec<Note>> {
        poll_fn(|cx| {
            loop {
                self.drop_stale(&link.conn);
                if self.settle(envelope) {
                    return Poll::Ready(Ok(()));
                }
                if !self.take_more(link, unread) {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                if self.poll_answers(cx, link) {
                    continue;
                }
                // Nothing is ready: now the replies so far may leave, and room for them may let
                // the machine hand out more.
                if !link.poll_background(cx, ahead)? {
                    return Poll::Pending;
                }
            }
        })
        .await
        .map(|()| self.notes)
    }

    /// Questions that the machine has answered itself, because they took too long.
    fn drop_stale(&mut self, conn: &ServerConnection) {
        for slot in &mut self.slots {
            if matches!(slot, Slot::Open(open) if !conn.is_waiting(&open.pending)) {
                *slot = Slot::Dropped;
            }
        }
    }

    /// Moves what is decided, up to the first that is not, into the envelope. Whether nothing is
    /// open any more.
    fn settle(&mut self, envelope: &mut Envelope<H::Recipient>) -> bool {
        while let Some(slot) = self.slots.pop_front() {
            match slot {
                Slot::Accepted(recipient) => envelope.recipients.push(recipient),
                Slot::Dropped => {}
                Slot::Open(_) => {
                    self.slots.push_front(slot);
                    return false;
                }
            }
        }
        true
    }

    /// Takes the RCPT commands that the machine hands out; it keeps to its own bound. False when
    /// it is other tasks' turn.
    fn take_more<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        unread: &mut &'b [u8],
    ) -> bool {
        loop {
            if !link.spend() {
                return false;
            }
            let now = link.now();
            match link.conn.poll_event(unread, now) {
                Step::Event(Event::Rcpt { rcpt, pending }) => self.ask(link, rcpt, pending),
                Step::Event(Event::Violation(violation)) => {
                    self.notes.push(Note::Violation(violation));
                }
                // The machine hands out nothing else while a RCPT is open.
                Step::Event(event) => link.conn.answer_default(event),
                Step::Need(_) | Step::Closed(_) => return true,
            }
        }
    }

    /// Polls the open questions and answers those decided; whether there was one.
    fn poll_answers<S: Stream, R: Runtime>(
        &mut self,
        cx: &mut Context<'_>,
        link: &mut Link<'_, S, R>,
    ) -> bool {
        let mut answered = false;
        for slot in &mut self.slots {
            let Slot::Open(open) = slot else { continue };
            let Poll::Ready((rcpt, verdict)) = open.verdict.as_mut().poll(cx) else { continue };
            answered = true;
            let Slot::Open(open) = mem::replace(slot, Slot::Dropped) else { continue };
            let (verdict, value) = verdict.split();
            if let Ok(code) = answer(&mut link.conn, open.pending, &verdict, 250) {
                self.notes.push(Note::Replied(code, link.since(open.asked)));
                if let Some(value) = value {
                    *slot = Slot::Accepted(Recipient { rcpt: rcpt.into_static(), value });
                }
            }
        }
        answered
    }
}
