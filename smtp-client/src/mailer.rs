//! Messages to wherever their recipients' mail goes (RFC 5321 §5).

use crate::{
    body::{Body, IntoBody},
    connect::{Connect, Endpoint},
    envelope::Envelope,
    mx::{NextHop, NoRoute, Routing},
    outcome::{Cause, Failure, Outcome, Stage, Status},
    policy::{Policy, Said, Watch},
    pool::{Destination, Lent, Pool},
    resolve::{Mx, ResolveError, Resolver},
};
use smtp_driver::tls::ClientTlsInfo;
use smtp_proto::{
    EnhancedCode,
    wire::{Domain, ForwardPath, Host},
};
use std::{
    borrow::Cow,
    collections::HashMap,
    convert::Infallible,
    future::{Future, poll_fn, ready},
    net::{IpAddr, SocketAddr},
    sync::Arc,
};

/// Sends messages: by MX to any domain, or all of them through one host. What comes of each
/// recipient is told, once; whether and when to try again is the caller's to decide.
///
/// Hosts are tried in their order, and of each all addresses, until one has decided about every
/// recipient. What moves a recipient on to the next is that nothing was decided:
///
/// | seen | what follows |
/// |---|---|
/// | no connection, 421, any refusal before MAIL | the next address, then the next host |
/// | connection lost, or 421, before all of the message was sent | the same, for those without a reply |
/// | connection lost after that | delayed, and [in doubt](Outcome::in_doubt): the host may have it, and another would have it twice |
/// | 4yz to MAIL, RCPT or the message | delayed: a full mailbox is full at every host |
/// | 5yz to MAIL, RCPT or the message | failed; no other host is asked for what one has refused |
///
/// If all hosts refuse before MAIL, the recipients have failed only if none of them may think
/// better of it.
#[derive(Debug)]
pub struct Mailer<R: Connect, P, V = NoResolver> {
    pool: Pool<R>,
    policies: P,
    route: Route<V>,
    tries: usize,
}

/// A host that takes mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hop {
    /// What it is called: what TLS verifies, and what outcomes name.
    pub host: Arc<str>,
    /// Where it listens, in the order in which to try.
    pub endpoints: Vec<Endpoint>,
}

/// Knows how mail goes to each host: a function of the [`Hop`], one policy for all, or what looks up
/// DANE and MTA-STS.
pub trait Policies: Send + Sync {
    /// The policy for mail to `domain`, or through a fixed host if that is `None`, at `hop`. Give
    /// the same `Arc` for the same host, or no connection will be kept for the next message.
    ///
    /// # Errors
    /// The host must not be used. Its temporary failure delays the message, unless another host
    /// takes it.
    fn policy(
        &self,
        domain: Option<&Host<'_>>,
        hop: &Hop,
    ) -> impl Future<Output = Result<Arc<Policy>, Failure>> + Send;
}

impl<F: Fn(&Hop) -> Arc<Policy> + Send + Sync> Policies for F {
    fn policy(
        &self,
        _: Option<&Host<'_>>,
        hop: &Hop,
    ) -> impl Future<Output = Result<Arc<Policy>, Failure>> + Send {
        ready(Ok(self(hop)))
    }
}

impl Policies for Arc<Policy> {
    fn policy(
        &self,
        _: Option<&Host<'_>>,
        _: &Hop,
    ) -> impl Future<Output = Result<Arc<Policy>, Failure>> + Send {
        ready(Ok(self.clone()))
    }
}

/// The resolver of who asks nothing. It has no value.
#[derive(Clone, Copy, Debug)]
pub struct NoResolver(Infallible);

impl Resolver for NoResolver {
    async fn mx(&self, _: &Domain<'_>) -> Result<Vec<Mx>, ResolveError> {
        match self.0 {}
    }

    async fn addresses(&self, _: &Domain<'_>) -> Result<Vec<IpAddr>, ResolveError> {
        match self.0 {}
    }
}

/// Where mail goes.
#[derive(Debug)]
enum Route<V> {
    Mx { resolver: V, routing: Routing, port: u16 },
    Host { resolver: V, host: Domain<'static>, port: u16 },
    Fixed(Hop),
}

/// What became of a recipient, and on which way.
#[must_use = "it may tell of a recipient who does not have the message"]
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Delivery {
    /// The outcome.
    pub outcome: Outcome,
    /// Where the host was that it is the outcome at.
    pub endpoint: Option<Endpoint>,
    /// Whether that host was told when notices are wanted:
    /// [`Report::dsn_passed_on`](crate::Report::dsn_passed_on).
    pub dsn_passed_on: bool,
    /// How the message travelled; `None`: in clear, or not at all.
    pub tls: Option<Arc<ClientTlsInfo>>,
}

/// Addresses that are tried for each domain.
const TRIES: usize = 5;

impl<R: Connect, P: Policies, V: Resolver> Mailer<R, P, V> {
    /// Sends to the hosts that the DNS names for each recipient's domain, at port 25.
    pub fn by_mx(pool: Pool<R>, policies: P, resolver: V, routing: Routing) -> Self {
        Self { pool, policies, route: Route::Mx { resolver, routing, port: 25 }, tries: TRIES }
    }

    /// Sends everything through `host`, whose addresses are asked for each time; its MX records are
    /// not.
    pub fn through_host(
        pool: Pool<R>,
        policies: P,
        resolver: V,
        host: Domain<'_>,
        port: u16,
    ) -> Self {
        let route = Route::Host { resolver, host: host.into_static(), port };
        Self { pool, policies, route, tries: TRIES }
    }

    /// Another port of the hosts.
    #[must_use]
    pub fn port(mut self, other: u16) -> Self {
        if let Route::Mx { port, .. } | Route::Host { port, .. } = &mut self.route {
            *port = other;
        }
        self
    }

    /// Addresses that are tried for each domain before it is delayed: 5 if nothing is said, 1 at
    /// least. RFC 5321 §5.1 wants two.
    #[must_use]
    pub fn tries(mut self, tries: usize) -> Self {
        self.tries = tries.max(1);
        self
    }

    /// The pool that connections come from.
    #[must_use]
    pub fn pool(&self) -> &Pool<R> {
        &self.pool
    }

    /// Sends a message to all recipients of `envelope`; what became of each, in their order.
    ///
    /// Recipients of one domain go together; the domains follow each other. To send to several at
    /// once, call this for a part of the envelope each, on as many bodies. A body that cannot be
    /// rewound can be sent to one host only: other domains are delayed.
    ///
    /// If the future is dropped, no server has a part of a message; what it has whole it keeps.
    #[must_use = "it tells of each recipient what became of it"]
    pub async fn send(&self, envelope: &Envelope, body: impl IntoBody) -> Vec<Delivery> {
        self.send_by(envelope, body, None).await
    }

    /// [Sends](Self::send) a message, of which `watch` is shown all that is said for it, by each
    /// host that is asked: by the watch of a [`Transcript`](crate::Transcript), in words.
    #[must_use = "it tells of each recipient what became of it"]
    pub async fn send_watched(
        &self,
        envelope: &Envelope,
        body: impl IntoBody,
        watch: &Watch,
    ) -> Vec<Delivery> {
        self.send_by(envelope, body, Some(watch)).await
    }

    async fn send_by(
        &self,
        envelope: &Envelope,
        body: impl IntoBody,
        watch: Option<&Watch>,
    ) -> Vec<Delivery> {
        let mut mailing = Mailing {
            envelope,
            watch,
            body: body.into_body(),
            waiting: Vec::new(),
            deliveries: vec![None; envelope.recipients().len()],
        };
        for (domain, places) in self.groups(envelope) {
            mailing.waiting = places;
            match self.hops(domain).await {
                Ok(hops) => self.send_group(domain, &hops, &mut mailing).await,
                Err(failure) => mailing.is_barred(&failure),
            }
        }
        mailing.deliveries.into_iter().map(|it| it.unwrap_or_else(Delivery::untried)).collect()
    }

    /// Recipients that go together, by their places; `None` if the domain does not matter.
    fn groups<'e>(&self, envelope: &'e Envelope) -> Vec<(Option<&'e Host<'static>>, Vec<usize>)> {
        let recipients = envelope.recipients();
        let Route::Mx { .. } = &self.route else {
            return vec![(None, (0..recipients.len()).collect())];
        };
        let mut groups: Vec<(_, Vec<usize>)> = Vec::new();
        let mut known = HashMap::new();
        for (place, rcpt) in recipients.iter().enumerate() {
            let domain = match &rcpt.to {
                ForwardPath::Mailbox(mailbox) => Some(&mailbox.host),
                ForwardPath::Postmaster => None,
            };
            let name = domain.map(|domain| domain.to_string().to_lowercase());
            let group = *known.entry(name).or_insert_with(|| {
                groups.push((domain, Vec::new()));
                groups.len() - 1
            });
            groups[group].1.push(place);
        }
        groups
    }

    /// The hosts to try, in their order.
    async fn hops(&self, domain: Option<&Host<'_>>) -> Result<Vec<Hop>, Failure> {
        match (&self.route, domain) {
            (Route::Fixed(hop), _) => Ok(vec![hop.clone()]),
            (Route::Host { resolver, host, port }, _) => {
                let no_route = |none| Failure::no_route(host.as_str(), &none);
                let addresses = match resolver.addresses(host).await {
                    Ok(addresses) if !addresses.is_empty() => addresses,
                    Err(ResolveError::Temporary(outage)) => return Err(no_route(outage.into())),
                    // Whoever has set it up is wrong, not the message.
                    Ok(_) | Err(_) => return Err(no_route(NoRoute::NoUsableHost).for_others()),
                };
                let host = Arc::from(host.as_str());
                Ok(vec![Hop { host, endpoints: endpoints(&addresses, *port) }])
            }
            (Route::Mx { resolver, routing, port }, Some(domain)) => {
                let found = routing.next_hops(resolver, domain, fastrand::u64(..)).await;
                let hop = |NextHop { host, addresses, .. }: NextHop| Hop {
                    host: host.to_string().into(),
                    endpoints: endpoints(&addresses, *port),
                };
                let hops = found.map(|hops| hops.into_iter().map(hop).collect());
                hops.map_err(|none| Failure::no_route(domain.to_string(), &none))
            }
            (Route::Mx { .. }, None) => {
                // RFC 5321 §4.1.1.3: only a host's own postmaster has no domain.
                let (host, enhanced) = (Arc::from("postmaster"), EnhancedCode::permanent(1, 3));
                let text = "the address has no domain";
                Err(Failure::local(Stage::Route, Cause::Route, enhanced, text, &host))
            }
        }
    }

    /// Tries `hops` until nobody waits any more.
    async fn send_group<B: Body>(
        &self,
        domain: Option<&Host<'_>>,
        hops: &[Hop],
        mailing: &mut Mailing<'_, B>,
    ) {
        let mut tries = self.tries;
        for hop in hops {
            let policy = match self.policies.policy(domain, hop).await {
                Ok(policy) => policy,
                Err(failure) => {
                    mailing.is_barred(&failure);
                    continue;
                }
            };
            let destination = |endpoint: &Endpoint| Destination {
                host: hop.host.clone(),
                endpoint: endpoint.clone(),
                policy: policy.clone(),
            };
            let mut destinations: Vec<_> = hop.endpoints.iter().map(destination).collect();
            let waits = |(at, to)| Some((at, self.pool.lend_idle_watched(to, mailing.watch)?));
            let mut kept = None;
            if let Some((at, lent)) = destinations.iter().enumerate().find_map(waits) {
                destinations[..=at].rotate_right(1);
                kept = Some(lent);
            }
            for to in &destinations {
                let lent = match kept.take() {
                    Some(lent) => Ok(lent),
                    None => self.pool.lend_watched(to, mailing.watch).await,
                };
                let then = match lent {
                    Ok(lent) => mailing.over(lent, &to.endpoint).await,
                    Err(failure) => mailing.not_over(&failure, &to.endpoint),
                };
                tries -= 1;
                if matches!(then, Then::Done) || tries == 0 {
                    return;
                }
            }
        }
    }
}

impl<R: Connect, P: Policies> Mailer<R, P> {
    /// Sends everything through one host at known endpoints: a smarthost, or an LMTP server where
    /// the policy's [machine](Policy::machine) speaks that.
    pub fn through(pool: Pool<R>, policies: P, hop: Hop) -> Self {
        Self { pool, policies, route: Route::Fixed(hop), tries: TRIES }
    }
}

fn endpoints(addresses: &[IpAddr], port: u16) -> Vec<Endpoint> {
    addresses.iter().map(|&address| SocketAddr::new(address, port).into()).collect()
}

/// A message on its way.
struct Mailing<'e, B> {
    envelope: &'e Envelope,
    watch: Option<&'e Watch>,
    body: B,
    /// The places of the recipients that nothing is decided about, among those that go together.
    waiting: Vec<usize>,
    /// What is known so far.
    deliveries: Vec<Option<Delivery>>,
}

/// What to do with those who still wait.
enum Then {
    /// The next address.
    Next,
    /// Nothing.
    Done,
}

impl<B: Body> Mailing<'_, B> {
    /// Sends to those who wait over a connection.
    async fn over<R: Connect>(&mut self, mut lent: Lent<R>, endpoint: &Endpoint) -> Then {
        let waiting = std::mem::take(&mut self.waiting);
        let envelope = match waiting.len() == self.envelope.recipients().len() {
            true => Some(Cow::Borrowed(self.envelope)),
            false => self.envelope.for_recipients(waiting.iter().copied()).map(Cow::Owned),
        };
        let Some(envelope) = envelope else { return Then::Done };
        if poll_fn(|cx| self.body.poll_rewind(cx)).await.is_err() {
            self.waiting = waiting;
            self.note_read_once(lent.host());
            lent.give_back();
            return Then::Done;
        }
        let report = lent.send(&envelope, &mut self.body).await;
        lent.give_back();
        let tls = report.tls.map(Arc::new);
        for (place, outcome) in waiting.into_iter().zip(report.outcomes) {
            if is_undecided(&outcome) {
                self.waiting.push(place);
            }
            self.deliveries[place] = Some(Delivery {
                outcome,
                endpoint: Some(endpoint.clone()),
                dsn_passed_on: report.dsn_passed_on,
                tls: tls.clone(),
            });
        }
        match self.waiting.is_empty() {
            true => Then::Done,
            false => Then::Next,
        }
    }

    /// There is no connection.
    fn not_over(&mut self, failure: &Failure, endpoint: &Endpoint) -> Then {
        self.note(failure, Some(endpoint));
        // A wrong password is not tried at one door after the other.
        match failure.stage == Stage::Auth && failure.is_permanent() {
            true => Then::Done,
            false => Then::Next,
        }
    }

    /// No host can be asked, because of `failure`.
    fn is_barred(&mut self, failure: &Failure) {
        if let Some(watch) = self.watch {
            watch.show(Said::Failure(failure));
        }
        self.note(failure, None);
    }

    /// Those who wait have met with `failure`. One for good is not the last word of a domain that
    /// has other hosts.
    fn note(&mut self, failure: &Failure, endpoint: Option<&Endpoint>) {
        for &place in &self.waiting {
            let known = &mut self.deliveries[place];
            let is_delayed = |it: &Delivery| it.outcome.status == Status::Delayed;
            if !(failure.is_permanent() && known.as_ref().is_some_and(is_delayed)) {
                *known = Some(Delivery::failed(failure.clone(), endpoint.cloned()));
            }
        }
    }

    /// The octets of the message are gone. What is known says more.
    fn note_read_once(&mut self, host: &Arc<str>) {
        let (stage, enhanced) = (Stage::Prepare, EnhancedCode::transient(5, 3));
        let text = "the message can be read only once, and was";
        let failure = Failure::local(stage, Cause::Message, enhanced, text, host);
        for &place in &self.waiting {
            self.deliveries[place].get_or_insert_with(|| Delivery::failed(failure.clone(), None));
        }
    }
}

/// Whether another host may be asked: this one has neither decided anything nor got the message.
fn is_undecided(outcome: &Outcome) -> bool {
    let by_accident = match outcome.cause {
        Cause::Server => outcome.reply.code() == 421 && outcome.stage < Stage::End,
        cause => {
            use Cause::{Connection, Limit, Protocol, Timeout, Tls};
            matches!(cause, Connection | Timeout | Protocol | Tls | Limit)
        }
    };
    outcome.status == Status::Delayed && !outcome.in_doubt && by_accident
}

impl Delivery {
    fn failed(failure: Failure, endpoint: Option<Endpoint>) -> Self {
        Self { outcome: failure.into(), endpoint, dsn_passed_on: false, tls: None }
    }

    /// A host without an endpoint.
    fn untried() -> Self {
        let (stage, enhanced) = (Stage::Route, EnhancedCode::transient(4, 4));
        let text = "there is no address to try";
        Self::failed(Failure::local(stage, Cause::Route, enhanced, text, &Arc::from("")), None)
    }
}
