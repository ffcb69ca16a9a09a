//! SCRAM-SHA-256 and SCRAM-SHA-256-PLUS for servers (RFC 5802, RFC 7677).
//!
//! Our own, as on the client's side.

use super::{
    Identity, ScramKeys,
    keys::{LEN, sign},
    scram::{attributes, key, prepare},
};
use crate::tls::ChannelBinding;
use aws_lc_rs::{
    constant_time::verify_slices_are_equal,
    digest::{SHA256, digest},
    rand,
};
use smtp_proto::wire::Base64;

/// What a client may say of channel binding (§6).
pub(crate) enum Binding {
    /// -PLUS: that it binds to this.
    Required(ChannelBinding),
    /// That it cannot. If it could, it was not shown that we offer it.
    Offered,
    /// That it cannot, or believes that we cannot, which is true.
    Impossible,
}

/// An exchange whose first message is here.
pub(crate) struct ScramServer {
    identity: Identity,
    /// `cbind-input`: the `gs2-header`, and what is bound to. The client's final message has it.
    binding: Vec<u8>,
    /// `client-first-message-bare`.
    client_first: String,
    client_nonce: String,
    sent: Option<Sent>,
}

/// Our first message, and what it was made of.
struct Sent {
    message: String,
    nonce: String,
    keys: ScramKeys,
}

impl ScramServer {
    /// Reads the client's first message; `None` if it is none that we can go on with.
    ///
    /// §7: `client-first-message = gs2-cbind-flag "," [authzid] "," [reserved-mext ","] username ","
    /// nonce ["," extensions]`. The flag `y` says that the client could bind to the channel and
    /// believes that we cannot. Nobody knows an `m=`, so it cannot be there (§5.1).
    pub(super) fn first(message: &[u8], binding: &Binding) -> Option<Self> {
        let message = str::from_utf8(message).ok()?;
        let (flag, rest) = message.split_once(',')?;
        let (acting_as, client_first) = rest.split_once(',')?;
        let bound_to = match (binding, flag) {
            (Binding::Required(channel), "p=tls-exporter") => channel.as_octets(),
            (Binding::Offered | Binding::Impossible, "n") | (Binding::Impossible, "y") => &[],
            _ => return None,
        };
        let authorization_id = match acting_as {
            "" => String::new(),
            name => name_from(name.strip_prefix("a=")?)?,
        };
        let mut attributes = attributes(client_first).ok()?;
        let (Some(("n", name)), Some(("r", nonce))) = (attributes.next(), attributes.next()) else {
            return None;
        };
        if nonce.is_empty() || !nonce.bytes().all(|octet| octet.is_ascii_graphic()) {
            return None;
        }
        let name = name_from(name)?;
        // §5.1. A name that cannot be prepared is nobody's: the exchange goes on, and fails.
        let authentication_id = prepare(&name).unwrap_or(name);
        Some(Self {
            identity: Identity { authentication_id, authorization_id },
            binding: [format!("{flag},{acting_as},").as_bytes(), bound_to].concat(),
            client_first: client_first.to_owned(),
            client_nonce: nonce.to_owned(),
            sent: None,
        })
    }

    /// Who the client says it is.
    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    /// Whether the exchange is bound to the channel.
    pub(super) fn is_bound(&self) -> bool {
        self.binding.starts_with(b"p=")
    }

    /// Our first message; `None` if the system has no random numbers.
    pub(super) fn offer(&mut self, keys: ScramKeys) -> Option<String> {
        let mut nonce = [0; 18];
        rand::fill(&mut nonce).ok()?;
        Some(self.offer_with(keys, Base64::encode(&nonce).as_str()))
    }

    fn offer_with(&mut self, keys: ScramKeys, nonce: &str) -> String {
        let nonce = format!("{}{nonce}", self.client_nonce);
        let message = format!("r={nonce},s={},i={}", Base64::encode(&keys.salt), keys.iterations);
        self.sent = Some(Sent { message: message.clone(), nonce, keys });
        message
    }

    /// Reads the client's final message: whether its proof is right, and our final message. `None`
    /// if it is none for this exchange. There is one attempt.
    ///
    /// §7: `client-final-message = channel-binding "," nonce ["," extensions] "," proof`.
    pub(super) fn verify(&mut self, message: &[u8]) -> Option<(bool, String)> {
        let Sent { message: server_first, nonce, keys } = self.sent.take()?;
        let message = str::from_utf8(message).ok()?;
        let (without_proof, proof) = message.rsplit_once(",p=")?;
        let proof: [u8; LEN] = Base64::parse(proof).ok()?.decode().try_into().ok()?;
        let mut attributes = attributes(without_proof).ok()?;
        let (Some(("c", binding)), Some(("r", repeated))) = (attributes.next(), attributes.next())
        else {
            return None;
        };
        if binding != Base64::encode(&self.binding).as_str() || repeated != nonce {
            return None;
        }
        // §3.
        let signed = format!("{},{server_first},{without_proof}", self.client_first);
        let signature = sign(&key(&keys.stored_key), &[signed.as_bytes()]);
        let client_key: Vec<u8> = proof.iter().zip(signature).map(|(a, b)| a ^ b).collect();
        let stored_key = digest(&SHA256, &client_key);
        let right = verify_slices_are_equal(stored_key.as_ref(), &keys.stored_key).is_ok();
        let signature = sign(&key(&keys.server_key), &[signed.as_bytes()]);
        Some((right, format!("v={}", Base64::encode(&signature))))
    }
}

/// §7: `saslname`, in which `=2C` is a comma and `=3D` an equals sign, and there is no other `=`.
pub(super) fn name_from(saslname: &str) -> Option<String> {
    let mut parts = saslname.split('=');
    let mut name = parts.next()?.to_owned();
    for part in parts {
        let (escaped, rest) = part.split_at_checked(2)?;
        name.push(match escaped {
            "2C" => ',',
            "3D" => '=',
            _ => return None,
        });
        name.push_str(rest);
    }
    let sendable = !name.is_empty() && !name.contains('\0');
    sendable.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIRST: &[u8] = b"n,,n=user,r=rOprNGfwEbeRWgbNEkqO";
    const FINAL: &str = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
                         p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=";

    /// The server of RFC 7677 §3, up to its first message.
    fn server(first: &[u8]) -> ScramServer {
        let mut server = ScramServer::first(first, &Binding::Impossible).unwrap();
        let keys = ScramKeys::decode(
            "SCRAM-SHA-256$4096:W22ZaJ0SNY7soEsUEjb6gQ==\
             $WG5d8oPm3OtcPnkdi4Uo7BkeZkBFzpcXkuLmtbsT4qY=\
             :wfPLwcE6nTWhTAmQ7tl2KeoiWGPlZqQxSrmfPwDl2dU=",
        );
        let message = server.offer_with(keys.unwrap(), "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0");
        assert_eq!(
            message,
            "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,\
             s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
        );
        server
    }

    /// AUTH-17
    #[test]
    fn the_exchange_of_rfc_7677_is_ours() {
        let verified = server(FIRST).verify(FINAL.as_bytes());
        let last = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=";
        assert_eq!(verified, Some((true, last.into())));
    }

    /// AUTH-18
    #[test]
    fn another_proof_is_wrong_and_what_is_not_for_this_exchange_is_nothing() {
        let (bare, _) = FINAL.rsplit_once(",p=").unwrap();
        let wrong = format!("{bare},p={}", Base64::encode(&[7; 32]));
        let mut asked = server(FIRST);
        assert!(!asked.verify(wrong.as_bytes()).unwrap().0);
        assert_eq!(asked.verify(FINAL.as_bytes()), None, "there is no second attempt");
        for (what, with) in [
            ("c=biws", "c=eSws"),
            ("c=biws", "c=cD10bHMtdW5pcXVlLCw="),
            ("r=rOpr", "r=xOpr"),
            ("$k0", "$k"),
            ("p=dHzb", "p=dHz"),
            (",p=", ",P="),
            ("c=biws,", ""),
            ("c=biws", "m=x,c=biws"),
            (",p=", ",=,p="),
        ] {
            let changed = FINAL.replace(what, with);
            assert_ne!(changed, FINAL);
            assert_eq!(server(FIRST).verify(changed.as_bytes()), None, "{changed}");
        }
        for nothing in [&b""[..], b"\xff", b"*", b",p=", b"c=,r=,p="] {
            assert_eq!(server(FIRST).verify(nothing), None);
        }
    }

    #[test]
    fn names_come_back_as_they_were() {
        let first = b"y,a=x=2Cy,n=a=3Db=2Cc,r=N,z=9";
        let server = ScramServer::first(first, &Binding::Impossible).unwrap();
        assert_eq!(server.identity().authentication_id, "a=b,c");
        assert_eq!(server.identity().authorization_id, "x,y");
        assert_eq!(server.binding, b"y,a=x=2Cy,");
    }

    #[test]
    fn a_client_says_of_channel_binding_what_it_was_offered() {
        let required = Binding::Required([7; 32].into());
        for (binding, accepted) in [
            (required, "p=tls-exporter"),
            (Binding::Offered, "n"),
            (Binding::Impossible, "n"),
            (Binding::Impossible, "y"),
        ] {
            let flags = ["n", "y", "p=tls-exporter", "p=tls-unique", "p=tls-server-end-point", "p"];
            for flag in flags {
                let first = format!("{flag},,n=user,r=N");
                let server = ScramServer::first(first.as_bytes(), &binding);
                let both = matches!(binding, Binding::Impossible) && matches!(flag, "n" | "y");
                assert_eq!(server.is_some(), flag == accepted || both, "{flag}");
            }
        }
    }

    #[test]
    fn what_the_client_binds_to_is_compared_octet_for_octet() {
        let begun = |channel: [u8; 32]| {
            let first = b"p=tls-exporter,,n=user,r=N";
            let binding = Binding::Required(channel.into());
            let mut server = ScramServer::first(first, &binding).unwrap();
            server.offer_with(ScramKeys::unknown("user", b"s", ScramKeys::ITERATIONS), "S");
            server
        };
        let bound = |channel: &[u8]| [b"p=tls-exporter,,", channel].concat();
        let last = |bound: &[u8]| {
            format!("c={},r=NS,p={}", Base64::encode(bound), Base64::encode(&[0; 32]))
        };
        let mut other = [7; 32];
        other[31] ^= 1;
        // With the right one only the proof is wrong.
        assert!(matches!(
            begun([7; 32]).verify(last(&bound(&[7; 32])).as_bytes()),
            Some((false, _))
        ));
        for wrong in [bound(&other), bound(&[7; 31]), bound(&[]), b"n,,".to_vec(), vec![]] {
            assert_eq!(begun([7; 32]).verify(last(&wrong).as_bytes()), None, "{wrong:?}");
        }
    }

    /// AUTH-18
    #[test]
    fn first_messages_that_are_none_are_refused() {
        for wrong in [
            "",
            ",",
            ",,",
            "n",
            "n,",
            "n,,",
            "n,,n=user",
            "n,,n=user,r=",
            "n,,n=,r=N",
            "n,,n=u=,r=N",
            "n,,n=u=2,r=N",
            "n,,n=u=2c,r=N",
            "n,,n=u=\u{e9}\u{e9},r=N",
            "n,,n=u\0,r=N",
            "n,,r=N,n=user",
            "n,,m=x,n=user,r=N",
            "n,x,n=user,r=N",
            "n,a=,n=user,r=N",
            "n,,n=user,r=N,",
            "n,,n=user,r=N,\u{e9}=",
            "n,,n=user,r=a b",
            "p=tls-unique,,n=user,r=N",
            "x,,n=user,r=N",
            "nn,,n=user,r=N",
        ] {
            assert!(
                ScramServer::first(wrong.as_bytes(), &Binding::Impossible).is_none(),
                "{wrong:?}"
            );
        }
        assert!(ScramServer::first(b"n,,n=\xff,r=N", &Binding::Impossible).is_none());
    }
}
