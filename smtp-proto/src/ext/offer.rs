//! What a server offers: the embedder's choice, and the moment.

use super::{CustomExtension, CustomExtensions, FutureRelease};
use crate::{limits::Limits, server::Mode, wire::Mechanism};
use alloc::vec::Vec;

/// What decides whether an extension is offered to a peer at this moment.
#[derive(Clone, Copy, Debug)]
pub struct Offer<'a> {
    /// What the embedder switched on.
    pub extensions: &'a Extensions,
    /// The bounds; SIZE and LIMITS show some.
    pub limits: &'a Limits,
    /// SMTP, submission or LMTP.
    pub mode: Mode,
    /// The peer said EHLO or LHLO; without it nothing is offered.
    pub esmtp: bool,
    /// TLS is up.
    pub tls: bool,
}

/// The extensions of a server that can be switched. PIPELINING, SIZE (its value is
/// [`Limits::message`]), 8BITMIME and ENHANCEDSTATUSCODES are always on.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    pub(crate) smtputf8: bool,
    pub(crate) chunking: bool,
    pub(crate) binarymime: bool,
    pub(crate) dsn: bool,
    pub(crate) deliver_by: Option<u32>,
    pub(crate) future_release: Option<FutureRelease>,
    pub(crate) mt_priority: bool,
    pub(crate) requiretls: bool,
    pub(crate) starttls: bool,
    pub(crate) auth: Vec<Mechanism<'static>>,
    pub(crate) auth_in_clear: bool,
    pub(crate) limits: bool,
    pub(crate) expn: bool,
    pub(crate) etrn: bool,
    pub(crate) xclient: bool,
    pub(crate) custom: CustomExtensions,
}

impl Extensions {
    /// Only those that are always on.
    pub fn new() -> Self {
        Self::default()
    }

    /// SMTPUTF8 (RFC 6531): addresses and headers in UTF-8.
    #[must_use]
    pub fn smtputf8(mut self) -> Self {
        self.smtputf8 = true;
        self
    }

    /// CHUNKING (RFC 3030): BDAT.
    #[must_use]
    pub fn chunking(mut self) -> Self {
        self.chunking = true;
        self
    }

    /// BINARYMIME (RFC 3030 §3), and CHUNKING, without which it could not be used. Offer it only if
    /// you store every octet as it came, and pass such a message on to no server without it.
    #[must_use]
    pub fn binarymime(mut self) -> Self {
        self.binarymime = true;
        self.chunking()
    }

    /// DSN (RFC 3461). Offer it only if you obey the parameters.
    #[must_use]
    pub fn dsn(mut self) -> Self {
        self.dsn = true;
        self
    }

    /// DELIVERBY (RFC 2852), with the least time in seconds for which you take
    /// [`ByMode::Return`](super::ByMode::Return); 0
    /// names none. Offer it only if you obey [`Mail::deliver_by`](crate::wire::Mail::deliver_by).
    #[must_use]
    pub fn deliver_by(mut self, least: u32) -> Self {
        self.deliver_by = Some(least);
        self
    }

    /// FUTURERELEASE (RFC 4865), with how long you hold messages, in [`Mode::Submission`] only. Offer
    /// it only if you obey [`Mail::hold`](crate::wire::Mail::hold). The latest moment is what the EHLO answer says: where it
    /// is to move with the clock, [`advertise`](crate::server::ServerConnection::advertise) it.
    #[must_use]
    pub fn future_release(mut self, most: FutureRelease) -> Self {
        let longest = most.longest.clamp(1, 999_999_999);
        self.future_release = Some(FutureRelease { longest, ..most });
        self
    }

    /// MT-PRIORITY (RFC 6710). Offer it only if you obey [`Mail::priority`](crate::wire::Mail::priority).
    #[must_use]
    pub fn mt_priority(mut self) -> Self {
        self.mt_priority = true;
        self
    }

    /// REQUIRETLS (RFC 8689), under TLS only. Offer it only if you obey [`Mail::require_tls`](crate::wire::Mail::require_tls).
    #[must_use]
    pub fn requiretls(mut self) -> Self {
        self.requiretls = true;
        self
    }

    /// STARTTLS (RFC 3207), until TLS is up.
    #[must_use]
    pub fn starttls(mut self) -> Self {
        self.starttls = true;
        self
    }

    /// AUTH (RFC 4954) with these mechanisms, under TLS only.
    #[must_use]
    pub fn auth(mut self, mechanisms: impl IntoIterator<Item = Mechanism<'static>>) -> Self {
        self.auth = mechanisms.into_iter().collect();
        self
    }

    /// The mechanisms of [`auth`](Self::auth).
    pub fn mechanisms(&self) -> &[Mechanism<'static>] {
        &self.auth
    }

    /// Offers AUTH without TLS too: passwords cross the network in clear (RFC 4954 §9 forbids it
    /// for PLAIN and LOGIN).
    #[must_use]
    pub fn danger_auth_in_clear(mut self) -> Self {
        self.auth_in_clear = true;
        self
    }

    /// LIMITS (RFC 9422): shows [`Limits::recipients`] and [`Limits::transactions`].
    #[must_use]
    pub fn limits(mut self) -> Self {
        self.limits = true;
        self
    }

    /// EXPN (RFC 5321 §3.5.2); listed in the EHLO answer, as §3.5.2 demands.
    #[must_use]
    pub fn expn(mut self) -> Self {
        self.expn = true;
        self
    }

    /// ETRN (RFC 1985): [`Event::Etrn`](crate::server::Event::Etrn) is asked. Offer it only if you
    /// have queues to start. It is not offered in [`Mode::Submission`] (RFC 6409 §7).
    #[must_use]
    pub fn etrn(mut self) -> Self {
        self.etrn = true;
        self
    }

    /// XCLIENT (Postfix): [`Event::Xclient`](crate::server::Event::Xclient) is asked. Whoever is
    /// offered it can be anybody:
    /// [`advertise`](crate::server::ServerConnection::advertise) it to your proxies only.
    #[must_use]
    pub fn danger_xclient(mut self) -> Self {
        self.xclient = true;
        self
    }

    /// An extension of your own, with EHLO or LHLO. There is room for eight, each with a keyword of
    /// its own; what is more is not offered.
    #[must_use]
    pub fn custom(mut self, extension: CustomExtension) -> Self {
        self.custom.add(extension);
        self
    }
}
