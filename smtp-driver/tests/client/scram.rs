//! SCRAM-SHA-256 with a server that was written here, from the RFC alone, and can lie.

use crate::sasl::{begin, mechanism};
use aws_lc_rs::{digest, hmac, pbkdf2};
use smtp_driver::{
    sasl::{ClientExchange, Login, SaslError},
    tls::ChannelBinding,
};
use smtp_proto::wire::Base64;
use std::num::NonZeroU32;

const SALT: &[u8] = b"a salt of sixteen";

/// The server's side of one exchange (RFC 5802 §3).
struct Server {
    password: &'static str,
    iterations: u32,
    /// What the client has to say of the channel.
    binding: Vec<u8>,
    client_first_bare: String,
    server_first: String,
}

fn hmac(key: &[u8], message: &str) -> Vec<u8> {
    hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), message.as_bytes()).as_ref().to_vec()
}

fn base64(octets: &[u8]) -> String {
    Base64::encode(octets).as_str().to_owned()
}

/// The proof of the client and the signature of the server.
fn compute(password: &str, salt: &[u8], iterations: u32, auth_message: &str) -> (String, String) {
    let mut salted = [0; 32];
    let iterations = NonZeroU32::new(iterations).unwrap();
    let algorithm = pbkdf2::PBKDF2_HMAC_SHA256;
    pbkdf2::derive(algorithm, iterations, salt, password.as_bytes(), &mut salted);
    let client_key = hmac(&salted, "Client Key");
    let stored_key = digest::digest(&digest::SHA256, &client_key);
    let signature = hmac(stored_key.as_ref(), auth_message);
    let proof: Vec<u8> = client_key.iter().zip(signature).map(|(a, b)| a ^ b).collect();
    let server_key = hmac(&salted, "Server Key");
    (base64(&proof), base64(&hmac(&server_key, auth_message)))
}

impl Server {
    fn new(password: &'static str, client_first: &str) -> Self {
        let (header, bare) = client_first.split_at(client_first.find(",,").unwrap() + 2);
        Self {
            password,
            iterations: 4096,
            binding: header.into(),
            client_first_bare: bare.into(),
            server_first: String::new(),
        }
    }

    fn nonce(&self) -> &str {
        self.client_first_bare.split_once(",r=").unwrap().1
    }

    fn first(&mut self) -> String {
        let (nonce, salt, i) = (self.nonce(), base64(SALT), self.iterations);
        self.server_first = format!("r={nonce}%hvYDpWUa2RaTCAfuxFI,s={salt},i={i}");
        self.server_first.clone()
    }

    /// The final message; fails if the client does not know the password.
    fn last(&self, client_final: &str) -> String {
        let (without_proof, proof) = client_final.split_once(",p=").unwrap();
        let bound = format!("c={},r=", base64(&self.binding));
        assert!(without_proof.starts_with(&bound), "{without_proof}");
        let message = format!("{},{},{without_proof}", self.client_first_bare, self.server_first);
        let (expected, signature) = compute(self.password, SALT, self.iterations, &message);
        assert_eq!(proof, expected);
        format!("v={signature}")
    }
}

fn text(octets: smtp_proto::Secret<Vec<u8>>) -> String {
    String::from_utf8(octets.into_inner()).unwrap()
}

/// Up to where the server's first message is awaited.
fn begun(password: &str, known: &'static str) -> (ClientExchange, Server) {
    let mut exchange = begin(&Login::password("user", password), "SCRAM-SHA-256");
    let first = text(exchange.initial().unwrap().unwrap());
    assert!(first.starts_with("n,,n=user,r="), "no channel binding: {first}");
    (exchange, Server::new(known, &first))
}

/// Up to where the server's final message is awaited, with what it should be.
fn proved() -> (ClientExchange, String) {
    let (mut exchange, mut server) = begun("pencil", "pencil");
    let client_final = text(exchange.respond(server.first().as_bytes()).unwrap());
    (exchange, server.last(&client_final))
}

#[test]
fn the_server_of_this_test_computes_what_rfc_7677_has() {
    let nonce = "rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0";
    let message = format!(
        "n=user,r=rOprNGfwEbeRWgbNEkqO,r={nonce},s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096,c=biws,r={nonce}"
    );
    let salt = Base64::parse("W22ZaJ0SNY7soEsUEjb6gQ==").unwrap().decode();
    let (proof, signature) = compute("pencil", &salt, 4096, &message);
    assert_eq!(proof, "dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ=");
    assert_eq!(signature, "6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=");
}

#[test]
fn client_and_server_prove_themselves_to_each_other() {
    let (mut exchange, server_final) = proved();
    assert_eq!(text(exchange.respond(server_final.as_bytes()).unwrap()), "");
    exchange.finish().unwrap();
}

#[test]
fn what_is_said_of_channel_binding_is_what_is_so() {
    let channel = [7; 32];
    let (plus, without) = (mechanism("SCRAM-SHA-256-PLUS"), mechanism("SCRAM-SHA-256"));
    let offered = [plus.clone(), without.clone()];
    for (name, offered, channel, header, bound_to) in [
        (&plus, &offered[..], Some(channel), "p=tls-exporter,,", &channel[..]),
        // It was not offered, or the offer was taken away (RFC 5802 §6).
        (&without, &offered[1..], Some(channel), "y,,", &[]),
        // It was, but this one is wanted.
        (&without, &offered[..], Some(channel), "n,,", &[]),
        (&without, &offered[..], None, "n,,", &[]),
    ] {
        let login = Login::password("user", "pencil");
        let channel = channel.map(ChannelBinding::from);
        let mut exchange = ClientExchange::new(&login, name, offered, channel).unwrap();
        let first = text(exchange.initial().unwrap().unwrap());
        assert!(first.starts_with(&format!("{header}n=user,r=")), "{first}");
        let mut server = Server::new("pencil", &first);
        server.binding.extend_from_slice(bound_to);
        let client_final = text(exchange.respond(server.first().as_bytes()).unwrap());
        exchange.respond(server.last(&client_final).as_bytes()).unwrap();
        exchange.finish().unwrap();
    }
}

#[test]
fn extensions_that_nobody_knows_are_passed_over() {
    let (mut exchange, mut server) = begun("pencil", "pencil");
    server.first();
    server.server_first += ",x=what,y=";
    let first = server.server_first.clone();
    // RFC 5802 §3: they are part of what is signed.
    let client_final = text(exchange.respond(first.as_bytes()).unwrap());
    let server_final = server.last(&client_final) + ",z=more";
    exchange.respond(server_final.as_bytes()).unwrap();
    exchange.finish().unwrap();
}

#[test]
fn name_and_password_are_prepared() {
    // RFC 4013 §3: a soft hyphen maps to nothing, ROMAN NUMERAL NINE to IX.
    let (mut exchange, mut server) = begun("I\u{ad}X \u{2168}", "IX IX");
    let client_final = text(exchange.respond(server.first().as_bytes()).unwrap());
    server.last(&client_final);
}

#[test]
fn an_early_235_is_no_login() {
    let (exchange, _) = begun("pencil", "pencil");
    assert!(matches!(exchange.finish(), Err(SaslError::ServerUnproven)));
    let (exchange, _) = proved();
    assert!(matches!(exchange.finish(), Err(SaslError::ServerUnproven)));
}

/// C-55
#[test]
fn a_wrong_signature_is_no_login_even_with_235() {
    let (mut exchange, server_final) = proved();
    let last = server_final.as_bytes()[10];
    let wrong = server_final.replacen(char::from(last), if last == b'A' { "B" } else { "A" }, 1);
    let empty = "v=".to_owned();
    let other = format!("v={}", base64(&[0; 32]));
    assert!(matches!(exchange.respond(wrong.as_bytes()), Err(SaslError::ServerUnproven)));
    assert!(matches!(exchange.finish(), Err(SaslError::ServerUnproven)));
    for wrong in [empty, other] {
        let (mut exchange, _) = proved();
        assert!(matches!(exchange.respond(wrong.as_bytes()), Err(SaslError::ServerUnproven)));
        assert!(matches!(exchange.respond(server_final.as_bytes()), Err(SaslError::Unasked)));
        assert!(matches!(exchange.finish(), Err(SaslError::ServerUnproven)));
    }
}

/// C-55
#[test]
fn a_nonce_that_is_not_ours_and_more_is_no_proof() {
    let (_, server) = begun("pencil", "pencil");
    let ours = server.nonce().to_owned();
    for nonce in ["", "other", &ours] {
        let (mut exchange, mut server) = begun("pencil", "pencil");
        let nonce = if nonce == ours { server.nonce().to_owned() } else { nonce.to_owned() };
        server.first();
        let first = format!("r={nonce},s={},i=4096", base64(SALT));
        let refused = exchange.respond(first.as_bytes());
        assert!(matches!(refused, Err(SaslError::ServerUnproven)), "{nonce}");
        assert!(matches!(exchange.finish(), Err(SaslError::ServerUnproven)));
    }
}

/// C-55
#[test]
fn too_few_iterations_and_too_many_are_refused_before_the_password_is_used() {
    for i in [0, 1, 4095, 100_001, u32::MAX] {
        let (mut exchange, mut server) = begun("pencil", "pencil");
        server.iterations = i;
        let refused = exchange.respond(server.first().as_bytes());
        assert!(matches!(refused, Err(SaslError::Iterations(n)) if n == i), "{i}");
        assert!(matches!(exchange.finish(), Err(SaslError::ServerUnproven)));
    }
}

#[test]
fn what_is_not_scram_is_malformed() {
    for odd in [
        "",
        ",",
        "r",
        "r=",
        "r=N",
        "r=Nx",
        "r=Nx,",
        "r=Nx,s",
        "r=Nx,s=",
        "r=Nx,s=QQ==",
        "r=Nx,s=QQ==,i",
        "r=Nx,s=QQ==,i=",
        "r=Nx,s=QQ==,i=+4096",
        "r=Nx,s=QQ==,i=4096,",
        "r=Nx,s=QQ==,i=99999999999",
        "r=Nx,i=4096,s=QQ==",
        "m=x,r=Nx,s=QQ==,i=4096",
        "s=QQ==,i=4096",
        "v=QQ==",
        "1=r",
        "r=Nx,s=Q*,i=4096",
        "\u{e9}",
    ] {
        let (mut exchange, server) = begun("pencil", "pencil");
        let message = odd.replace('N', server.nonce());
        let refused = exchange.respond(message.as_bytes());
        assert!(matches!(refused, Err(SaslError::Malformed)), "{odd:?} {refused:?}");
    }
    for odd in ["", "v", "e", ",", "v=*", "r=x", "x=1,v=QQ=="] {
        let (mut exchange, _) = proved();
        let refused = exchange.respond(odd.as_bytes());
        assert!(matches!(refused, Err(SaslError::Malformed)), "{odd:?} {refused:?}");
    }
}

#[test]
fn the_servers_own_words_are_told_without_what_is_not_printable() {
    let (mut exchange, _) = proved();
    match exchange.respond(b"e=invalid-proof\x1b[2J") {
        Err(SaslError::Refused(why)) => assert_eq!(why, "invalid-proof?[2J"),
        other => panic!("{other:?}"),
    }
}
