//! Certificates of one listener, and those of its clients.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod site;

use ::aws_lc_rs::digest::{SHA256, digest};
use rustls::{ClientConfig, ClientConnection, StreamOwned, crypto::aws_lc_rs};
use site::{
    Client, Site,
    tls::{connected, dialogue},
};
use smtp_mta::config::Config;
use std::{
    fs,
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    sync::Arc,
};
use tempfile::TempDir;
use testkit::tls::{Authority, Identity};

/// Files, and who has signed them.
struct World {
    folder: TempDir,
    authority: Authority,
}

impl World {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap(), authority: Authority::new() }
    }

    fn path(&self, file: &str) -> String {
        self.folder.path().join(file).to_str().unwrap().to_owned()
    }

    /// Makes the files of a certificate for `name`; gives it as the configuration has it.
    fn pair(&self, name: &str) -> String {
        let identity = self.authority.identity(&[name]);
        let (certificate, key) =
            (self.path(&format!("{name}.pem")), self.path(&format!("{name}.key")));
        fs::write(&certificate, identity.chain_pem).unwrap();
        fs::write(&key, identity.key_pem).unwrap();
        format!("{{ certificate = '{certificate}', key = '{key}' }}")
    }

    /// A client that believes the authority, and shows `identity`.
    fn client(&self, identity: Option<&Identity>) -> Arc<ClientConfig> {
        let config = ClientConfig::builder_with_provider(aws_lc_rs::default_provider().into())
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.authority.roots());
        Arc::new(match identity {
            None => config.with_no_client_auth(),
            Some(it) => config.with_client_auth_cert(it.chain.clone(), it.key.clone_key()).unwrap(),
        })
    }
}

/// By STARTTLS, with the server called `name`.
fn inside(
    config: &Arc<ClientConfig>,
    name: &str,
    at: SocketAddr,
) -> StreamOwned<ClientConnection, TcpStream> {
    let mut clear = Client::greeted(at);
    clear.ask("STARTTLS", "220 ");
    connected(config, name, clear.into_stream())
}

const HELLO: (&str, &str) = ("EHLO client.example\r\n", "250 ");

#[test]
fn a_listener_shows_the_certificate_for_the_name_that_is_asked_for_and_another_listener_its_own() {
    let world = World::new();
    // Nobody else is at this address.
    let other = TcpListener::bind(("127.0.0.6", 0)).unwrap().local_addr().unwrap();
    let site = Site::listening(&format!(
        "certificates = [{}, {}]
         [[listener]]
         address = '{other}'
         certificates = [{}]",
        world.pair("mx.example"),
        world.pair("mail.example"),
        world.pair("other.example"),
    ));
    let client = world.client(None);
    // The client looks whether the certificate is for the name.
    for (name, at) in
        [("mx.example", site.address), ("mail.example", site.address), ("other.example", other)]
    {
        dialogue(&mut inside(&client, name, at), &[HELLO, ("QUIT\r\n", "221 ")]);
    }
    let stranger =
        inside(&client, "other.example", site.address).conn.peer_certificates().is_some();
    assert!(!stranger);
}

#[test]
fn a_client_without_a_certificate_is_turned_away_where_one_is_required() {
    let (world, clients) = (World::new(), Authority::new());
    fs::write(world.path("clients.pem"), clients.certificate_pem()).unwrap();
    let at = |wanted: &str| {
        Site::listening(&format!(
            "certificates = [{}]
             client_ca_file = '{}'
             client_certificate = '{wanted}'",
            world.pair("mx.example"),
            world.path("clients.pem"),
        ))
    };
    let right = clients.identity(&["user.example"]);
    let wrong = world.authority.identity(&["user.example"]);
    for (wanted, shown, welcome) in [
        ("optional", None, true),
        ("optional", Some(&right), true),
        ("optional", Some(&wrong), false),
        ("required", None, false),
        ("required", Some(&right), true),
        ("required", Some(&wrong), false),
    ] {
        let site = at(wanted);
        let mut stream = inside(&world.client(shown), "mx.example", site.address);
        assert_eq!(is_served(&mut stream), welcome, "{wanted}");
    }
}

/// Whether the server says more than an alert.
fn is_served(stream: &mut StreamOwned<ClientConnection, TcpStream>) -> bool {
    use std::io::{Read, Write};
    stream.write_all(b"NOOP\r\n").is_ok() && stream.read(&mut [0; 4]).is_ok_and(|n| n > 0)
}

#[test]
fn a_reload_changes_what_a_listener_shows() {
    let world = World::new();
    let config = |pair: &str, folder: &Path| {
        let text = format!(
            "hostname = 'mx.example'
             data_dir = '{}'
             [[listener]]
             address = '127.0.0.7:0'
             certificates = [{pair}]",
            folder.display()
        );
        Config::parse(&text, Path::new("mta.toml")).unwrap()
    };
    let data = tempfile::tempdir().unwrap();
    let (first, second) = (world.pair("first.example"), world.pair("second.example"));
    let missing = world.pair("missing.example").replace(".key", ".none");
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
    let start = async { smtp_mta::server::Mta::start(&config(&first, data.path())) };
    let mta = runtime.block_on(start).unwrap();
    let (at, control) = (mta.listening()[0].address, mta.control());
    let running = runtime.spawn(mta.run());
    let client = world.client(None);
    dialogue(&mut inside(&client, "first.example", at), &[HELLO]);

    let refused = runtime.block_on(control.reload(config(&missing, data.path()))).unwrap_err();
    assert!(refused.to_string().contains("missing.example.none: "), "{refused}");
    dialogue(&mut inside(&client, "first.example", at), &[HELLO]);

    let changes = runtime.block_on(control.reload(config(&second, data.path()))).unwrap();
    assert_eq!(changes.to_string(), "listener");
    dialogue(&mut inside(&client, "second.example", at), &[HELLO]);
    control.stop();
    runtime.block_on(running).unwrap();
}

#[test]
fn a_user_logs_in_by_a_certificate_and_who_has_none_is_not_offered_to() {
    let (world, clients) = (World::new(), Authority::new());
    fs::write(world.path("clients.pem"), clients.certificate_pem()).unwrap();
    let (you, stranger) =
        (clients.identity(&["you.example"]), clients.identity(&["other.example"]));
    let fingerprint = digest(&SHA256, &you.chain[0]);
    let site = Site::listening(&format!(
        "role = 'submission'
         certificates = [{}]
         client_ca_file = '{}'
         [[user]]
         name = 'you'
         certificates = ['{}']",
        world.pair("mx.example"),
        world.path("clients.pem"),
        data_encoding::HEXUPPER.encode(fingerprint.as_ref()),
    ));
    let at = |shown| inside(&world.client(shown), "mx.example", site.address);
    dialogue(
        &mut at(Some(&you)),
        &[
            HELLO,
            ("AUTH EXTERNAL =\r\n", "235 2.7.0 "),
            ("MAIL FROM:<other@mx.example>\r\n", "550 5.7.1 "),
            ("MAIL FROM:<you@mx.example>\r\n", "250 "),
        ],
    );
    // As oneself by name, and as nobody else: "YOU", "other".
    dialogue(&mut at(Some(&you)), &[HELLO, ("AUTH EXTERNAL WU9V\r\n", "235 2.7.0 ")]);
    let other = ("AUTH EXTERNAL b3RoZXI=\r\n", "535 5.7.8 ");
    dialogue(&mut at(Some(&you)), &[HELLO, other, ("MAIL FROM:<you@mx.example>\r\n", "530 ")]);
    dialogue(&mut at(Some(&stranger)), &[HELLO, ("AUTH EXTERNAL =\r\n", "535 5.7.8 ")]);
    dialogue(&mut at(None), &[HELLO, ("AUTH EXTERNAL =\r\n", "504 5.5.4 ")]);
}
