//! AUTH (RFC 4954): an exchange, step by step, and the check of what it brought.

use crate::{
    decide::decide,
    handler::Handler,
    link::Link,
    recv_buffer::Ahead,
    runtime::Runtime,
    sasl::{Checked, Exchange, Identity, Progress, Vouched},
    service::Service,
    stream::Stream,
    talk::Talk,
};
use smtp_proto::{
    Secret,
    ext::Extensions,
    server::{Pending, op},
    wire::{Base64, Mechanism, Refused},
};
use std::{io, sync::Arc};

impl<H: Handler> Talk<H> {
    pub(crate) async fn begin_auth<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
        ahead: &mut Ahead<'_>,
        mechanism: &Mechanism<'_>,
        initial: Option<Secret<Base64<'_>>>,
        pending: Pending<op::Auth>,
    ) -> io::Result<()> {
        let channel = link.pump.channel_binding();
        let offered = link.conn.extensions().mechanisms();
        let exchange = service.passwords().and(Exchange::new(mechanism, offered, channel));
        let Some(mut exchange) = exchange else {
            let refused = link.conn.refuse(pending, &Refused::NO_SUCH_MECHANISM);
            self.replied(link, link.now(), refused.map(|()| 504));
            return Ok(());
        };
        let initial = initial.map(|it| it.expose().decode());
        let progress = exchange.begin(initial.as_deref());
        self.auth(link, service, ahead, Box::new(exchange), progress, pending).await
    }

    pub(crate) async fn auth_response<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
        ahead: &mut Ahead<'_>,
        data: Secret<Base64<'_>>,
        pending: Pending<op::Auth>,
    ) -> io::Result<()> {
        let Some(mut exchange) = self.exchange.take() else {
            link.conn.refuse(pending, &Refused::AUTH_TRY_LATER).ok();
            return Ok(());
        };
        let progress = exchange.respond(&data.expose().decode());
        self.auth(link, service, ahead, exchange, progress, pending).await
    }

    async fn auth<S: Stream, R: Runtime>(
        &mut self,
        link: &mut Link<'_, S, R>,
        service: &Service,
        ahead: &mut Ahead<'_>,
        mut exchange: Box<Exchange>,
        progress: Progress,
        pending: Pending<op::Auth>,
    ) -> io::Result<()> {
        let asked = link.now();
        let credentials = service.passwords();
        let step = match (progress, credentials) {
            (Progress::Challenge(challenge), _) => Some(Next::Challenge(challenge)),
            (Progress::Malformed, _) => Some(Next::End(Checked::Wrong, None)),
            (Progress::Done(identity), _) => Some(Next::End(Checked::Right, Some(identity))),
            (_, None) => Some(Next::End(Checked::Unavailable, None)),
            (Progress::Check(identity, password), Some(credentials)) => {
                let checked = {
                    let mut check = credentials.check(&self.peer, &identity, password.expose());
                    decide(link, ahead, &pending, check.as_mut()).await?
                };
                checked.map(|checked| Next::End(checked, Some(identity)))
            }
            (Progress::Keys(name), Some(credentials)) => {
                let keys = decide(link, ahead, &pending, credentials.keys(&name).as_mut()).await?;
                keys.map(|keys| match keys.and_then(|keys| exchange.offer(keys)) {
                    Some(challenge) => Next::Challenge(challenge),
                    None => Next::End(Checked::Unavailable, None),
                })
            }
            (Progress::Token(token), Some(credentials)) => {
                let vouched = {
                    let mut vouched = credentials.token(&self.peer, &token);
                    decide(link, ahead, &pending, vouched.as_mut()).await?
                };
                vouched.map(|vouched| match vouched {
                    Vouched::Nobody => {
                        let help = credentials.token_help();
                        let told = exchange.refuse_token(&help).map(Next::Challenge);
                        told.unwrap_or(Next::End(Checked::Wrong, None))
                    }
                    vouched => Next::after(vouched),
                })
            }
            (Progress::Certificate(acting_as), Some(credentials)) => {
                let vouched = match link.pump.client_certificate() {
                    None => Some(Vouched::Nobody),
                    Some(certificate) => {
                        let mut vouched =
                            credentials.certificate(&self.peer, &certificate, &acting_as);
                        decide(link, ahead, &pending, vouched.as_mut()).await?
                    }
                };
                vouched.map(Next::after)
            }
            (Progress::Proof(identity, mechanism, right, last), Some(credentials)) => {
                let mut proved = credentials.proved(&self.peer, &identity, &mechanism, right);
                let checked = decide(link, ahead, &pending, proved.as_mut()).await?;
                checked.map(|checked| match checked {
                    Checked::Right if right => Next::Challenge(last),
                    Checked::Right => Next::End(Checked::Wrong, None),
                    checked => Next::End(checked, None),
                })
            }
        };
        let replied = match step {
            // The machine has answered by itself.
            None => return Ok(()),
            Some(Next::Challenge(challenge)) => {
                if link.conn.challenge(pending, &challenge).is_ok() {
                    self.exchange = Some(exchange);
                }
                return Ok(());
            }
            Some(Next::End(Checked::Right, Some(identity))) => {
                let accepted = link.conn.accept(pending);
                if accepted.is_ok() {
                    self.handler.authenticated(link.conn.session(), &identity);
                }
                accepted.map(|()| 235)
            }
            Some(Next::End(Checked::Unavailable, _)) => {
                link.conn.refuse(pending, &Refused::AUTH_TRY_LATER).map(|()| 454)
            }
            Some(Next::End(..)) => link.conn.refuse(pending, &Refused::AUTH_FAILED).map(|()| 535),
        };
        self.replied(link, asked, replied);
        Ok(())
    }
}

/// What is offered on this connection of the `extensions` for this peer, or of those for all: no
/// mechanism that needs of TLS what it has not. `None`: those for all.
pub(crate) fn usable<S: Stream, R: Runtime>(
    link: &Link<'_, S, R>,
    service: &Service,
    extensions: Option<Arc<Extensions>>,
) -> Option<Arc<Extensions>> {
    let wanted = extensions.as_deref().unwrap_or_else(|| service.config().extensions());
    let is_usable = |mechanism: &&Mechanism<'_>| match *mechanism {
        it if *it == Mechanism::SCRAM_SHA_256_PLUS => link.pump.channel_binding().is_some(),
        it if *it == Mechanism::EXTERNAL => link.pump.client_certificate().is_some(),
        // RFC 7628 §3.
        it if [Mechanism::OAUTHBEARER, Mechanism::XOAUTH2].contains(it) => link.conn.session().tls,
        _ => true,
    };
    let mechanisms = wanted.mechanisms();
    if mechanisms.iter().all(|mechanism| is_usable(&mechanism)) {
        return extensions;
    }
    let usable: Vec<_> = mechanisms.iter().filter(is_usable).cloned().collect();
    Some(Arc::new(wanted.clone().auth(usable)))
}

/// What follows a step of an exchange.
enum Next {
    Challenge(Vec<u8>),
    End(Checked, Option<Identity>),
}

impl Next {
    fn after(vouched: Vouched) -> Self {
        match vouched {
            Vouched::For(identity) => Self::End(Checked::Right, Some(identity)),
            Vouched::Nobody => Self::End(Checked::Wrong, None),
            Vouched::Unavailable => Self::End(Checked::Unavailable, None),
        }
    }
}
