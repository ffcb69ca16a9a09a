//! Who logs in at a listener: by a password, or by a certificate.

use super::{UserName, Users};
use smtp_driver::{
    ClientCertificate, Peer,
    sasl::{Answer, Checked, Credentials, Identity, ScramKeys, Vouched},
};
use smtp_proto::wire::Mechanism;
use std::collections::HashMap;

/// The SHA-256 fingerprint of a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads 64 hexadecimal digits, in which there may be colons, as
    /// `openssl x509 -noout -fingerprint -sha256` prints them; `None` if it is anything else.
    pub fn new(text: &str) -> Option<Self> {
        let digits: String = text.chars().filter(|&letter| letter != ':').collect();
        let octets = data_encoding::HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok()?;
        octets.try_into().ok().map(Self)
    }
}

/// The users of a server, and those who may come with a certificate.
#[derive(Clone, Debug)]
pub struct Logins {
    users: Users,
    certificates: HashMap<Fingerprint, UserName>,
}

impl Logins {
    /// The `users`, and whose certificates these are.
    pub fn new(
        users: Users,
        certificates: impl IntoIterator<Item = (Fingerprint, UserName)>,
    ) -> Self {
        Self { users, certificates: certificates.into_iter().collect() }
    }
}

impl Credentials for Logins {
    fn check<'a>(
        &'a self,
        peer: &'a Peer,
        identity: &'a Identity,
        password: &'a str,
    ) -> Answer<'a, Checked> {
        self.users.check(peer, identity, password)
    }

    fn keys<'a>(&'a self, name: &'a str) -> Answer<'a, Option<ScramKeys>> {
        self.users.keys(name)
    }

    fn proved<'a>(
        &'a self,
        peer: &'a Peer,
        identity: &'a Identity,
        mechanism: &'a Mechanism<'static>,
        right: bool,
    ) -> Answer<'a, Checked> {
        self.users.proved(peer, identity, mechanism, right)
    }

    fn certificate<'a>(
        &'a self,
        peer: &'a Peer,
        certificate: &'a ClientCertificate,
        authorization_id: &'a str,
    ) -> Answer<'a, Vouched> {
        let name = self.certificates.get(&Fingerprint(certificate.fingerprint()));
        // Nobody acts as another.
        let is_same = authorization_id.is_empty()
            || UserName::new(authorization_id).as_ref().is_some_and(|wanted| Some(wanted) == name);
        let vouched = match name.filter(|_| is_same) {
            Some(name) => Vouched::For(Identity::new(name.as_str(), authorization_id)),
            None => Vouched::Nobody,
        };
        let checked = match vouched {
            Vouched::For(_) => Checked::Right,
            _ => Checked::Wrong,
        };
        self.users.settle(peer, name, true, "certificate", checked);
        Box::pin(async { vouched })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fingerprint_is_read_as_openssl_prints_it() {
        let digits = "00ff".repeat(16);
        let colons: Vec<_> =
            digits.as_bytes().chunks(2).map(|it| str::from_utf8(it).unwrap()).collect();
        let printed = colons.join(":").to_uppercase();
        assert_eq!(Fingerprint::new(&printed), Fingerprint::new(&digits));
        assert!(Fingerprint::new(&digits).is_some());
        for wrong in ["", "00", &digits[2..], &format!("{digits}00"), &digits.replace('f', "g")] {
            assert_eq!(Fingerprint::new(wrong), None, "{wrong}");
        }
    }
}
