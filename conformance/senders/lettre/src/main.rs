//! Sends the message on standard input with lettre: exit status 0 if it was sent, 75 if it may be
//! tried again, 69 if not.

#![forbid(unsafe_code)]

use lettre::{
    Address, SmtpTransport, Transport,
    address::Envelope,
    transport::smtp::{
        Error,
        authentication::Credentials,
        client::{Certificate, CertificateStore, Tls, TlsParameters},
        extension::ClientId,
    },
};
use std::{
    collections::BTreeMap,
    env, fs,
    io::{self, Read},
    process::ExitCode,
    time::Duration,
};

/// Not sent, to be tried again (sysexits' EX_TEMPFAIL).
const TRY_AGAIN: u8 = 75;
/// Not sent, and never will be (EX_UNAVAILABLE).
const FAILED: u8 = 69;

fn main() -> ExitCode {
    match send() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            let again = error.downcast_ref::<Error>().is_some_and(may_be_tried_again);
            ExitCode::from(if again { TRY_AGAIN } else { FAILED })
        }
    }
}

/// Whatever is not a reply of 5yz, nor refused by lettre itself.
fn may_be_tried_again(error: &Error) -> bool {
    !error.is_permanent() && !error.is_client()
}

/// `--helo NAME --timeout SECONDS --ca FILE --user NAME --password TEXT HOST PORT FROM TO...`
fn send() -> Result<(), Box<dyn std::error::Error>> {
    let (mut options, mut words) = (BTreeMap::new(), Vec::new());
    let mut arguments = env::args().skip(1);
    while let Some(word) = arguments.next() {
        match word.strip_prefix("--") {
            Some(name) => drop(options.insert(name.to_owned(), arguments.next().ok_or("a value")?)),
            None => words.push(word),
        }
    }
    let [host, port, from, to @ ..] = &words[..] else {
        return Err("HOST PORT FROM TO...".into());
    };
    let mut transport = SmtpTransport::builder_dangerous(host).port(port.parse()?);
    if let Some(name) = options.get("helo") {
        transport = transport.hello_name(ClientId::Domain(name.clone()));
    }
    if let Some(seconds) = options.get("timeout") {
        transport = transport.timeout(Some(Duration::from_secs(seconds.parse()?)));
    }
    if let Some(file) = options.get("ca") {
        let tls = TlsParameters::builder(host.clone())
            .certificate_store(CertificateStore::None)
            .add_root_certificate(Certificate::from_pem(&fs::read(file)?)?)
            .build()?;
        transport = transport.tls(Tls::Required(tls));
    }
    if let (Some(user), Some(password)) = (options.get("user"), options.get("password")) {
        transport = transport.credentials(Credentials::new(user.clone(), password.clone()));
    }
    let from: Option<Address> = match from.as_str() {
        "" => None,
        from => Some(from.parse()?),
    };
    let to = to.iter().map(|to| to.parse()).collect::<Result<_, _>>()?;
    let mut message = Vec::new();
    io::stdin().lock().read_to_end(&mut message)?;
    transport.build().send_raw(&Envelope::new(from, to)?, &crlf(&message))?;
    Ok(())
}

/// `text` with CRLF at the end of each line: `send_raw` sends what it is given.
fn crlf(text: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    for &octet in text {
        if octet == b'\n' && out.last() != Some(&b'\r') {
            out.push(b'\r');
        }
        out.push(octet);
    }
    out
}
