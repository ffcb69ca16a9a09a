//! One connection to a server, ready to send messages.

use crate::{
    body::{IntoBody, Source},
    delivery,
    envelope::Envelope,
    opening,
    outcome::{Cause, Failure, Report, Stage},
    policy::{Policy, Said, Watch},
};
use smtp_driver::{
    Runtime, Stream,
    client::{ClientLink, LinkError, Next},
    tls::ClientTlsInfo,
};
use smtp_proto::{
    CloseReason, EnhancedCode, Misuse,
    client::{Capabilities, ClientEvent, CommandId},
    wire::{ForwardPath, Mechanism, Reply},
};
use std::{
    collections::HashSet,
    fmt,
    sync::Arc,
    task::{Context, Poll, Waker},
};

/// A connection to a server that has greeted us, as the [`Policy`] wants it: encrypted and logged
/// in, or it would not be there.
///
/// ```no_run
/// # async fn example() -> Result<(), Box<dyn std::error::Error>> {
/// # #[cfg(feature = "tokio")] {
/// use smtp_client::{Connection, Envelope, Policy, runtime::tokio::{Tokio, connect}};
/// use smtp_client::proto::wire::HelloName;
/// use std::sync::Arc;
///
/// let policy = Arc::new(Policy::new(HelloName::parse("client.example.org")?));
/// let stream = connect("192.0.2.1:25".parse()?).await?;
/// let mut connection = Connection::open(stream, Tokio::new(), "mx.example.net", policy).await?;
/// let envelope = Envelope::builder("a@example.org").to("b@example.net").build()?;
/// let report = connection.send(&envelope, "Subject: hello\r\n\r\nHello\r\n").await;
/// for (rcpt, outcome) in envelope.recipients().iter().zip(&report.outcomes) {
///     println!("{} {}: {}", rcpt.to, outcome.status, outcome.reply);
/// }
/// connection.quit().await;
/// # }
/// # Ok(())
/// # }
/// ```
pub struct Connection<S, R: Runtime> {
    pub(crate) link: ClientLink<S, R>,
    pub(crate) policy: Arc<Policy>,
    /// Is shown what is said for the message that is on its way, beside the policy's.
    pub(crate) watch: Option<Watch>,
    pub(crate) host: Arc<str>,
    pub(crate) tls: Option<ClientTlsInfo>,
    pub(crate) mechanism: Option<Mechanism<'static>>,
    /// Transactions since EHLO; LIMITS MAILMAX counts them (RFC 9422 §4.1).
    pub(crate) transactions: u32,
    /// The domains of recipients since EHLO, in lower case, if LIMITS RCPTDOMAINMAX counts them
    /// (RFC 9422 §4.3).
    domains: HashSet<String>,
    /// The server has said that it takes no more.
    pub(crate) exhausted: bool,
    /// A message is on its way; after a send that was dropped, for ever.
    sending: bool,
}

impl<S: Stream, R: Runtime> Connection<S, R> {
    /// Takes `stream`, which has just been connected to `host`, through all that comes before the
    /// first message: the greeting, EHLO or HELO or LHLO, TLS and EHLO again, AUTH. `host` is what
    /// outcomes call the server.
    ///
    /// If the future is dropped the stream is, too.
    ///
    /// # Errors
    /// [`Failure`] says at which [`Stage`]. What the policy demands and the server lacks is a
    /// temporary failure: it is no fault of the message.
    pub async fn open(
        stream: S,
        runtime: R,
        host: impl Into<Arc<str>>,
        policy: Arc<Policy>,
    ) -> Result<Self, Failure> {
        opening::open(stream, runtime, host.into(), policy, None).await
    }

    pub(crate) fn new(
        link: ClientLink<S, R>,
        host: Arc<str>,
        policy: Arc<Policy>,
        watch: Option<Watch>,
    ) -> Self {
        let (tls, mechanism) = (None, None);
        Self {
            link,
            policy,
            watch,
            host,
            tls,
            mechanism,
            transactions: 0,
            domains: HashSet::new(),
            exhausted: false,
            sending: false,
        }
    }

    /// Sends a message to the recipients of `envelope`, in as many transactions as the server's
    /// limits ask for. Each recipient has an outcome of its own, and is
    /// [`Sent`](crate::Status::Sent) only if the server has said so.
    ///
    /// The body is not copied, and of one that does not lie in memory no more is read than its
    /// chunks are long; unless it is [converted](crate::EightBit::Convert).
    ///
    /// Before each MAIL it looks whether the server has closed the connection meanwhile, or has said
    /// something that nobody had asked for: nothing is sent then, and the outcomes are of
    /// [`Stage::Prepare`].
    ///
    /// If the future is dropped, the server never has a message that is not complete, and the
    /// connection is of no more use.
    pub async fn send(&mut self, envelope: &Envelope, body: impl IntoBody) -> Report {
        let recipients = envelope.recipients().len();
        if !self.is_reusable() {
            return Report::failed(recipients, &self.unusable());
        }
        let mut source = match Source::new(body.into_body()).await {
            Ok(source) => source,
            Err(error) => {
                return Report::failed(recipients, &self.unreadable(Stage::Prepare, &error));
            }
        };
        self.sending = true;
        let outcomes = delivery::deliver(self, envelope, &mut source).await;
        self.sending = false;
        let dsn_passed_on = self.capabilities().dsn;
        Report { outcomes, dsn_passed_on, tls: self.tls.clone() }
    }

    /// RSET: asks whether the server is there and has nothing left of what came before.
    ///
    /// # Errors
    /// [`Failure`]: the connection is of no more use.
    pub async fn reset(&mut self) -> Result<(), Failure> {
        let was_sending = std::mem::replace(&mut self.sending, true);
        let id =
            self.give(Stage::Prepare, |conn| conn.link.machine().rset(), format_args!("RSET"))?;
        let reply = self.reply_to(id, Stage::Prepare).await?;
        if !matches!(reply.code(), 200..300) {
            return Err(Failure::server(Stage::Prepare, reply, &self.host));
        }
        self.sending = was_sending;
        Ok(())
    }

    /// Says QUIT, waits for the reply and closes; in the middle of a message, only closes.
    pub async fn quit(mut self) {
        if self.sending {
            return;
        }
        let given =
            self.give(Stage::Prepare, |conn| conn.link.machine().quit(), format_args!("QUIT"));
        if let Ok(id) = given {
            // Whatever it says, that was all.
            let _ = self.reply_to(id, Stage::Prepare).await;
        }
        self.link.close().await;
    }

    /// Whether another message can be sent: nothing is on its way, nothing was left half done, and
    /// the server takes another transaction: LIMITS MAILMAX (RFC 9422 §4.1) is not reached, and no
    /// MAIL was refused as one too many.
    #[must_use]
    pub fn is_reusable(&self) -> bool {
        !self.sending && self.link.is_reusable() && self.has_transactions_left()
    }

    /// Looks, without waiting, whether a connection that was kept can still be used.
    pub fn is_alive(&mut self) -> bool {
        self.is_reusable() && self.link.is_alive()
    }

    /// Looks, without waiting, for what the server did while it was asked nothing. A reply that comes
    /// late must not be taken for that to the next command.
    pub(crate) fn check_quiet(&mut self) -> Result<(), Failure> {
        let stage = Stage::Prepare;
        let mut cx = Context::from_waker(Waker::noop());
        match self.link.poll_parked(&mut cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(Ok(Next::Event(ClientEvent::Unsolicited(reply)))) => {
                self.show(Said::Server(stage, &reply));
                Err(self.unasked(stage, reply).for_others())
            }
            Poll::Ready(Ok(Next::Closed(why))) => Err(self.closed(stage, why)),
            Poll::Ready(Ok(_)) => Err(self.closed(stage, CloseReason::Unintelligible)),
            Poll::Ready(Err(error)) => Err(self.broken(stage, error)),
        }
    }

    /// Ready when a connection that is kept can not be used any more: the server has closed it, or
    /// said 421 (RFC 5321 §3.8).
    pub fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.link.poll_parked(cx).map(drop)
    }

    /// Transactions so far.
    #[must_use]
    pub fn transactions(&self) -> u32 {
        self.transactions
    }

    /// What TLS agreed on and verified; `None` in clear.
    #[must_use]
    pub fn tls(&self) -> Option<&ClientTlsInfo> {
        self.tls.as_ref()
    }

    /// The mechanism that we are logged in by.
    #[must_use]
    pub fn mechanism(&self) -> Option<&Mechanism<'static>> {
        self.mechanism.as_ref()
    }

    /// The name that the connection was opened with.
    #[must_use]
    pub fn host(&self) -> &Arc<str> {
        &self.host
    }

    /// The policy that the connection was opened with.
    #[must_use]
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// What the server offers.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        self.link.capabilities()
    }

    pub(crate) fn has_transactions_left(&self) -> bool {
        let most = self.capabilities().max_transactions;
        !self.exhausted && most.is_none_or(|most| self.transactions < most)
    }

    /// Whether the server takes a recipient in the domain of `to` on this connection, which then
    /// counts (LIMITS RCPTDOMAINMAX, RFC 9422 §4.3).
    pub(crate) fn takes_domain(&mut self, to: &ForwardPath<'_>) -> bool {
        let most = self.capabilities().max_recipient_domains;
        let (Some(most), Some(mailbox)) = (most, to.mailbox()) else { return true };
        let domain = mailbox.host.to_string().to_ascii_lowercase();
        if self.domains.len() < most as usize {
            self.domains.insert(domain);
            return true;
        }
        self.domains.contains(&domain)
    }

    pub(crate) fn show(&self, said: Said<'_>) {
        show(&self.policy, self.watch.as_ref(), said);
    }

    pub(crate) fn is_encrypted(&mut self, tls: ClientTlsInfo) {
        self.show(Said::Tls(&tls));
        self.tls = Some(tls);
    }

    pub(crate) fn is_watched(&self) -> bool {
        self.policy.watch.is_some() || self.watch.is_some()
    }

    /// Gives a command to the machine, and shows it.
    pub(crate) fn give(
        &mut self,
        stage: Stage,
        command: impl FnOnce(&mut Self) -> Result<CommandId, Misuse>,
        text: fmt::Arguments<'_>,
    ) -> Result<CommandId, Failure> {
        let id = command(self).map_err(|misuse| self.misused(stage, misuse))?;
        self.show(Said::Client(text));
        Ok(id)
    }

    /// What happens next; replies are shown.
    pub(crate) async fn next(&mut self, stage: Stage) -> Result<Next, Failure> {
        let next = match self.link.next().await {
            Ok(next) => next,
            Err(error) => return Err(self.broken(stage, error)),
        };
        if let Next::Event(
            ClientEvent::Greeting(reply)
            | ClientEvent::Reply { reply, .. }
            | ClientEvent::Delivery { reply, .. }
            | ClientEvent::Unsolicited(reply),
        ) = &next
        {
            self.show(Said::Server(stage, reply));
        }
        Ok(next)
    }

    /// The reply to the one command that is open.
    pub(crate) async fn reply_to(
        &mut self,
        id: CommandId,
        stage: Stage,
    ) -> Result<Reply<'static>, Failure> {
        loop {
            match self.next(stage).await? {
                Next::Event(ClientEvent::Reply { id: of, reply }) if of == id => return Ok(reply),
                Next::Event(ClientEvent::Unsolicited(reply)) => {
                    return Err(self.unasked(stage, reply));
                }
                Next::Event(_) => {}
                Next::Idle => return Err(self.misused(stage, Misuse::NotNow)),
                Next::Closed(why) => return Err(self.closed(stage, why)),
            }
        }
    }

    pub(crate) fn local(
        &self,
        stage: Stage,
        cause: Cause,
        enhanced: EnhancedCode,
        text: &str,
    ) -> Failure {
        Failure::local(stage, cause, enhanced, text, &self.host)
    }

    /// A reply that nobody had asked for: 421, or the last words of a server that cannot wait for
    /// the end of a message. A success is none.
    pub(crate) fn unasked(&self, stage: Stage, reply: Reply<'static>) -> Failure {
        if matches!(reply.code(), 400..600) {
            return Failure::server(stage, reply, &self.host);
        }
        self.closed(stage, CloseReason::Unintelligible)
    }

    /// The connection is over, and no reply says why.
    pub(crate) fn closed(&self, stage: Stage, why: CloseReason) -> Failure {
        const LOST: EnhancedCode = EnhancedCode::transient(4, 2);
        let (cause, enhanced, text) = match why {
            CloseReason::Timeout(_) => (Cause::Timeout, LOST, "the server took too long"),
            CloseReason::Unintelligible => {
                let text = "what the server sent is no reply to what it was asked";
                (Cause::Protocol, EnhancedCode::transient(5, 0), text)
            }
            CloseReason::Residue => {
                let text = "the server sent clear text where TLS should begin";
                (Cause::Tls, EnhancedCode::transient(7, 5), text)
            }
            _ => (Cause::Connection, LOST, "the server closed the connection"),
        };
        self.local(stage, cause, enhanced, text)
    }

    pub(crate) fn broken(&self, stage: Stage, error: LinkError) -> Failure {
        broken(stage, error, &self.host)
    }

    /// The machine does not take a command.
    pub(crate) fn misused(&self, stage: Stage, misuse: Misuse) -> Failure {
        let (cause, enhanced) = match misuse {
            Misuse::Closed => return self.closed(stage, CloseReason::Eof),
            Misuse::LineTooLong => (Cause::Message, EnhancedCode::permanent(5, 2)),
            Misuse::NotOffered(_) => (Cause::NotOffered, EnhancedCode::permanent(5, 4)),
            Misuse::NeedsSmtpUtf8 => (Cause::NotOffered, EnhancedCode::permanent(6, 7)),
            Misuse::TooLarge => (Cause::NotOffered, EnhancedCode::permanent(3, 4)),
            Misuse::Content(_) => (Cause::Message, EnhancedCode::permanent(6, 0)),
            _ => (Cause::Protocol, EnhancedCode::transient(5, 0)),
        };
        self.local(stage, cause, enhanced, &misuse.to_string())
    }

    pub(crate) fn unreadable(&self, stage: Stage, error: &std::io::Error) -> Failure {
        let text = format!("the message cannot be read: {error}");
        self.local(stage, Cause::Message, EnhancedCode::transient(3, 0), &text)
    }

    fn unusable(&self) -> Failure {
        match self.has_transactions_left() {
            true => self.closed(Stage::Prepare, CloseReason::Eof),
            false => self.no_transactions_left(),
        }
    }

    pub(crate) fn no_transactions_left(&self) -> Failure {
        self.spent("the server takes no more transactions on this connection")
    }

    pub(crate) fn no_domains_left(&self) -> Failure {
        self.spent("the server takes no recipients in more domains on this connection")
    }

    fn spent(&self, text: &str) -> Failure {
        self.local(Stage::Prepare, Cause::Limit, EnhancedCode::transient(5, 3), text)
    }
}

/// Shows it to who watches all connections of the policy, and this one.
pub(crate) fn show(policy: &Policy, watch: Option<&Watch>, said: Said<'_>) {
    policy.watch.iter().chain(watch).for_each(|watch| watch.show(said));
}

/// The link failed.
pub(crate) fn broken(stage: Stage, error: LinkError, host: &Arc<str>) -> Failure {
    let (cause, enhanced) = match &error {
        LinkError::Tls(_) => (Cause::Tls, EnhancedCode::transient(7, 5)),
        LinkError::Closed(CloseReason::Timeout(_)) => {
            (Cause::Timeout, EnhancedCode::transient(4, 2))
        }
        LinkError::Config(_) => (Cause::Protocol, EnhancedCode::transient(3, 5)),
        LinkError::Misuse(_) => (Cause::Protocol, EnhancedCode::transient(5, 0)),
        _ => (Cause::Connection, EnhancedCode::transient(4, 2)),
    };
    Failure::local(stage, cause, enhanced, &error.to_string(), host)
}

impl<S, R: Runtime> fmt::Debug for Connection<S, R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("host", &self.host)
            .field("tls", &self.tls)
            .field("transactions", &self.transactions)
            .finish_non_exhaustive()
    }
}
