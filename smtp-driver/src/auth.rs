//! AUTH (RFC 4954): an exchange, step by step, and the check of what it brought.

use crate::{
    decide::decide,
    handler::Handler,
    link::Link,
    recv_buffer::Ahead,
    runtime::Runtime,
    sasl::{Checked, Exchange, Progress},
    service::Service,
    stream::Stream,
    talk::Talk,
};
use smtp_proto::{
    Secret,
    server::{Pending, op},
    wire::{Base64, Mechanism, Refused},
};
use std::io;

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
        let Some(mut exchange) = service.passwords().and_then(|_| Exchange::new(mechanism)) else {
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
        exchange: Box<Exchange>,
        progress: Progress,
        pending: Pending<op::Auth>,
    ) -> io::Result<()> {
        let asked = link.now();
        let (identity, password) = match progress {
            Progress::Challenge(challenge) => {
                if link.conn.challenge(pending, &challenge).is_ok() {
                    self.exchange = Some(exchange);
                }
                return Ok(());
            }
            Progress::Malformed => {
                let refused = link.conn.refuse(pending, &Refused::AUTH_FAILED);
                self.replied(link, asked, refused.map(|()| 535));
                return Ok(());
            }
            Progress::Check(identity, password) => (identity, password),
        };
        let checked = match service.passwords() {
            None => Some(Checked::Unavailable),
            Some(credentials) => {
                let mut check = credentials.check(&identity, password.expose());
                decide(link, ahead, &pending, check.as_mut()).await?
            }
        };
        let replied = match checked {
            None => return Ok(()),
            Some(Checked::Right) => {
                let accepted = link.conn.accept(pending);
                if accepted.is_ok() {
                    self.handler.authenticated(link.conn.session(), &identity);
                }
                accepted.map(|()| 235)
            }
            Some(Checked::Wrong) => link.conn.refuse(pending, &Refused::AUTH_FAILED).map(|()| 535),
            Some(Checked::Unavailable) => {
                link.conn.refuse(pending, &Refused::AUTH_TRY_LATER).map(|()| 454)
            }
        };
        self.replied(link, asked, replied);
        Ok(())
    }
}
