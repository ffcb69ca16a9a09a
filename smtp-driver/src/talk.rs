//! A conversation: the events of the machine, brought to the handler.

use crate::{
    auth::usable,
    decide::{Note, RcptGroup, answer, answer_wordless, complete, decide},
    handler::{Envelope, Handler, Peer, Verdict},
    link::{Link, Woken},
    recv_buffer::Ahead,
    runtime::Runtime,
    sasl::Exchange,
    service::Service,
    stream::Stream,
};
use smtp_proto::{
    CloseReason, Instant, Need, Step,
    server::{Aborted, Event, Pending, ResetCause, Stale, op},
    wire::{Mail, Rcpt, Refused},
};
use std::{convert::Infallible, future::poll_fn, io, pin::pin, task::Poll};

/// Pieces of a message that one call of the handler takes at most.
const PIECES: usize = 16;

/// The handler, and what the driver keeps for it.
pub(crate) struct Talk<H: Handler> {
    pub(crate) handler: H,
    pub(crate) peer: Peer,
    envelope: Option<Envelope<H::Recipient>>,
    /// An AUTH exchange under way.
    pub(crate) exchange: Option<Box<Exchange>>,
    /// The handler has got a part of a message whose end it has not heard of.
    in_body: bool,
    /// The handler refused the message when the machine had all of it already.
    refusal: Option<Refused<'static>>,
}

/// Why a conversation stops for a moment, or for good.
pub(crate) enum Pause {
    /// The peer owes the next octet, and nothing is left of the ones before.
    Idle,
    Closed(CloseReason),
}

impl<H: Handler> Talk<H> {
    pub(crate) fn new(handler: H, peer: Peer) -> Self {
        Self { handler, peer, envelope: None, exchange: None, in_body: false, refusal: None }
    }

    /// Talks on while there is something to read. Holds a receive buffer while it runs.
    pub(crate) async fn go_on<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
    ) -> io::Result<Pause> {
        let mut recv = service.buffers().lend();
        loop {
            let (mut unread, mut ahead) = recv.split();
            let step = self.events(link, service, &mut unread, &mut ahead).await?;
            let (left, got, ended) = (unread.len(), ahead.octets().len(), ahead.has_ended());
            let news = got > 0 || ended != recv.has_ended();
            if ended && !recv.has_ended() {
                link.conn.handle_eof();
            }
            recv.settle(left, got, ended);
            let idle = match step {
                Step::Event(never) => match never {},
                Step::Closed(why) => return Ok(Pause::Closed(why)),
                Step::Need(Need::Flush) => {
                    link.flush().await?;
                    continue;
                }
                _ if news => continue,
                // The question may be one that borrows the buffer, which therefore stays.
                Step::Need(Need::Decision) => false,
                Step::Need(Need::Input) => {
                    recv.compact();
                    left == 0
                }
            };
            let woken = poll_fn(|cx| match link.poll_input(cx, recv.spare()) {
                Poll::Pending if idle => Poll::Ready(Ok(None)),
                woken => woken.map_ok(Some),
            });
            match woken.await? {
                None => return Ok(Pause::Idle),
                Some(Woken::Octets(n)) => recv.fill(n),
                Some(Woken::Machine) => {}
                Some(Woken::End) => {
                    recv.end();
                    link.conn.handle_eof();
                }
            }
        }
    }

    /// Handles events until the machine needs something.
    async fn events<'b, S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
        unread: &mut &'b [u8],
        ahead: &mut Ahead<'_>,
    ) -> io::Result<Step<Infallible>> {
        let mut pieces: [&'b [u8]; PIECES] = [&[]; PIECES];
        let mut gathered = 0;
        loop {
            if !link.spend() {
                link.give_way().await;
            }
            let now = link.now();
            let step = link.conn.poll_event(unread, now);
            if let Step::Event(Event::Body(piece)) = step {
                pieces[gathered] = piece;
                gathered += 1;
                if gathered < PIECES {
                    continue;
                }
            }
            if gathered > 0 {
                self.body(link, &pieces[..gathered]).await;
                gathered = 0;
            }
            match step {
                Step::Event(event) => self.event(link, service, event, now, unread, ahead).await?,
                Step::Need(need) => return Ok(Step::Need(need)),
                Step::Closed(why) => return Ok(Step::Closed(why)),
            }
        }
    }

    async fn body<S: Stream, R: Runtime>(&mut self, link: &mut Link<'_, S, R>, pieces: &[&[u8]]) {
        if self.refusal.is_some() {
            return;
        }
        self.in_body = true;
        if let Err(reply) = self.handler.body(pieces).await {
            self.in_body = false;
            if !link.conn.discard_body(&reply) {
                self.refusal = Some(reply);
            }
        }
    }

    async fn event<'b, S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
        event: Event<'b>,
        asked: Instant,
        unread: &mut &'b [u8],
        ahead: &mut Ahead<'_>,
    ) -> io::Result<()> {
        let session = link.conn.session();
        let handler = &mut self.handler;
        let replied = match event {
            // Gathered by `events`.
            Event::Body(_) => return Ok(()),
            Event::Connect(pending) => return self.connect(link, service, pending, ahead).await,
            Event::Hello { kind, name, pending } => {
                let verdict = {
                    let verdict = pin!(handler.hello(session, kind, &name));
                    decide(link, ahead, &pending, verdict).await?
                };
                let Some(verdict) = verdict else { return Ok(()) };
                let offered = handler.offer(session, &self.peer);
                match usable(link, service, offered) {
                    Some(extensions) if verdict.is_yes() => {
                        link.conn.advertise(pending, extensions).map(|()| 250)
                    }
                    _ => answer_wordless(&mut link.conn, pending, &verdict, 250),
                }
            }
            Event::Xclient { client, pending } => {
                let verdict = {
                    let verdict = pin!(handler.xclient(session, &client));
                    decide(link, ahead, &pending, verdict).await?
                };
                let Some(verdict) = verdict else { return Ok(()) };
                let replied = answer(&mut link.conn, pending, &verdict, 220);
                if replied.is_ok() && verdict.is_yes() {
                    self.peer.replace(&client);
                }
                replied
            }
            Event::StartTls(pending) => match service.acceptor() {
                Some(_) => link.conn.accept(pending).map(|()| 220),
                None => link.conn.refuse(pending, &Refused::TLS_UNAVAILABLE).map(|()| 454),
            },
            Event::Handshake(pending) => {
                let residue = !unread.is_empty() || !ahead.octets().is_empty();
                return self.handshake(link, service, pending, residue).await;
            }
            Event::Auth { mechanism, initial, pending } => {
                return self.begin_auth(link, service, ahead, &mechanism, initial, pending).await;
            }
            Event::AuthResponse { data, pending } => {
                return self.auth_response(link, service, ahead, data, pending).await;
            }
            Event::AuthAborted(_) => {
                self.exchange = None;
                return Ok(());
            }
            Event::Mail { mail, pending } => return self.mail(link, mail, pending, ahead).await,
            Event::Rcpt { rcpt, pending } => {
                return self.rcpt(link, rcpt, pending, unread, ahead).await;
            }
            Event::Data { pending, .. } => {
                let Some(envelope) = &self.envelope else {
                    link.conn.refuse(pending, &Refused::TRY_LATER).ok();
                    return Ok(());
                };
                let verdict = {
                    let verdict = pin!(handler.data(session, envelope));
                    decide(link, ahead, &pending, verdict).await?
                };
                let Some(verdict) = verdict else { return Ok(()) };
                // A client that did not wait for 354 has sent message text, which must not run as
                // commands when DATA is refused: the machine has to know of it.
                if unread.is_empty() {
                    self.show_ahead(link, &pending, ahead);
                }
                answer_wordless(&mut link.conn, pending, &verdict, 354)
            }
            Event::BodyEnd { size, pending } => {
                return self.end(link, ahead, pending, size, None).await;
            }
            Event::Delivery { size, index, pending } => {
                let index = usize::try_from(index).unwrap_or(usize::MAX);
                return self.end(link, ahead, pending, size, Some(index)).await;
            }
            Event::BodyAborted(why) => {
                self.body_aborted(why);
                return Ok(());
            }
            Event::Reset(why) => {
                self.reset(why);
                return Ok(());
            }
            Event::Verify { what, pending } => {
                let verdict = pin!(handler.verify(session, &what));
                let Some(verdict) = decide(link, ahead, &pending, verdict).await? else {
                    return Ok(());
                };
                answer(&mut link.conn, pending, &verdict, 252)
            }
            Event::Expand { what, pending } => {
                let verdict = pin!(handler.expand(session, &what));
                let Some(verdict) = decide(link, ahead, &pending, verdict).await? else {
                    return Ok(());
                };
                answer(&mut link.conn, pending, &verdict, 250)
            }
            Event::Etrn { queue, pending } => {
                let verdict = pin!(handler.etrn(session, &queue));
                let Some(verdict) = decide(link, ahead, &pending, verdict).await? else {
                    return Ok(());
                };
                answer(&mut link.conn, pending, &verdict, 250)
            }
            Event::Command { verb, args, pending } => {
                let verdict = pin!(handler.command(session, &verb, &args));
                let Some(verdict) = decide(link, ahead, &pending, verdict).await? else {
                    return Ok(());
                };
                answer(&mut link.conn, pending, &verdict, 250)
            }
            Event::Violation(violation) => {
                handler.violation(violation);
                return Ok(());
            }
            Event::Quit => return Ok(()),
            other => {
                link.conn.answer_default(other);
                return Ok(());
            }
        };
        self.replied(link, asked, replied);
        Ok(())
    }

    async fn connect<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
        pending: Pending<op::Connect>,
        ahead: &mut Ahead<'_>,
    ) -> io::Result<()> {
        let asked = link.now();
        if !service.delay().is_zero() {
            link.hold_greeting(service.delay(), ahead).await?;
            self.show_ahead(link, &pending, ahead);
        }
        let session = link.conn.session();
        let verdict = {
            let verdict = pin!(self.handler.connect(session, &self.peer));
            decide(link, ahead, &pending, verdict).await?
        };
        self.show_ahead(link, &pending, ahead);
        if let Some(verdict) = verdict {
            let code = answer(&mut link.conn, pending, &verdict, 220);
            self.replied(link, asked, code);
        }
        Ok(())
    }

    /// Shows the machine what was read ahead of its answer, when nothing older is unread. While the
    /// question is open it consumes none of it.
    fn show_ahead<S: Stream, R: Runtime, O: op::Op>(
        &mut self,
        link: &mut Link<'_, S, R>,
        pending: &Pending<O>,
        ahead: &Ahead<'_>,
    ) {
        if ahead.octets().is_empty() || !link.conn.is_waiting(pending) {
            return;
        }
        let now = link.now();
        if let Step::Event(event) = link.conn.poll_event(&mut ahead.octets(), now) {
            match event {
                Event::Violation(violation) => self.handler.violation(violation),
                other => link.conn.answer_default(other),
            }
        }
    }

    /// Tells the handler that its answer to a question of `asked` was given, unless it was stale.
    pub(crate) fn replied<S: Stream, R: Runtime>(
        &mut self,
        link: &Link<'_, S, R>,
        asked: Instant,
        code: Result<u16, Stale>,
    ) {
        if let Ok(code) = code {
            self.handler.replied(code, link.since(asked));
        }
    }

    async fn handshake<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
        pending: Pending<op::Handshake>,
        residue: bool,
    ) -> io::Result<()> {
        // The machine sees to it that no plaintext is left; were there any, it could be a command
        // that an attacker put in front of the handshake (RFC 3207 §6).
        let Some(acceptor) = service.acceptor().filter(|_| !residue) else {
            link.conn.abandon(pending).ok();
            return Ok(());
        };
        let done = match acceptor.begin() {
            Ok(session) => {
                link.pump.start_tls(session);
                link.handshake(&pending).await
            }
            Err(e) => Err(e),
        };
        match done {
            Ok(info) => {
                if link.conn.establish(pending).is_ok() {
                    self.handler.tls(&info);
                }
            }
            Err(_) => {
                link.conn.abandon(pending).ok();
            }
        }
        Ok(())
    }

    async fn mail<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        mail: Mail<'_>,
        pending: Pending<op::Mail>,
        ahead: &mut Ahead<'_>,
    ) -> io::Result<()> {
        let asked = link.now();
        let session = link.conn.session();
        let verdict = {
            let verdict = pin!(self.handler.mail(session, &mail));
            decide(link, ahead, &pending, verdict).await?
        };
        if let Some(verdict) = verdict
            && let Ok(code) = answer(&mut link.conn, pending, &verdict, 250)
        {
            if verdict.is_yes() {
                let mail = mail.into_static();
                self.envelope = Some(Envelope { mail, recipients: Vec::new() });
            }
            self.handler.replied(code, link.since(asked));
        }
        Ok(())
    }

    async fn rcpt<'b, S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        rcpt: Rcpt<'b>,
        pending: Pending<op::Rcpt>,
        unread: &mut &'b [u8],
        ahead: &mut Ahead<'_>,
    ) -> io::Result<()> {
        let Some(envelope) = &mut self.envelope else {
            link.conn.refuse(pending, &Refused::TRY_LATER).ok();
            return Ok(());
        };
        let mut group = RcptGroup::new(&self.handler);
        group.ask(link, rcpt, pending);
        for note in group.run(link, envelope, unread, ahead).await? {
            match note {
                Note::Violation(violation) => self.handler.violation(violation),
                Note::Replied(code, latency) => self.handler.replied(code, latency),
            }
        }
        Ok(())
    }

    /// The end of a message, or with LMTP the delivery to the recipient `index`.
    async fn end<S: Stream, R: Runtime, O: op::Worded + op::Refuse>(
        &mut self,
        link: &mut Link<'_, S, R>,
        ahead: &mut Ahead<'_>,
        pending: Pending<O>,
        size: u64,
        index: Option<usize>,
    ) -> io::Result<()> {
        self.in_body = false;
        let asked = link.now();
        let session = link.conn.session();
        let (verdict, stream) = match (&self.refusal, &self.envelope) {
            (Some(reply), _) => (Verdict::Refuse(reply.clone()), Ok(())),
            (None, None) => (Verdict::Refuse(Refused::TRY_LATER), Ok(())),
            (None, Some(envelope)) => match index {
                None => {
                    let verdict = pin!(self.handler.end(session, envelope, size));
                    complete(link, ahead, verdict).await
                }
                Some(index) => {
                    let verdict = pin!(self.handler.delivered(session, envelope, index, size));
                    complete(link, ahead, verdict).await
                }
            },
        };
        let told = match stream {
            Ok(()) => answer(&mut link.conn, pending, &verdict, 250).ok(),
            Err(_) => None,
        };
        match told {
            Some(code) => self.handler.replied(code, link.since(asked)),
            None if verdict.is_yes() => self.handler.stale(index),
            None => {}
        }
        stream
    }

    fn body_aborted(&mut self, why: Aborted) {
        self.in_body = false;
        self.refusal = None;
        self.handler.aborted(why);
    }

    fn reset(&mut self, why: ResetCause) {
        self.in_body = false;
        self.refusal = None;
        self.envelope = None;
        self.handler.reset(why);
    }

    /// The stream broke: tells the handler what the machine no longer can.
    pub(crate) fn cut_off(&mut self) {
        if self.in_body {
            self.body_aborted(Aborted::Eof);
        }
        if self.envelope.is_some() {
            self.reset(ResetCause::Closed);
        }
    }
}
