//! AUTH (RFC 4954): logging in, where nobody else can see or forge it.

use crate::{
    connection::Connection,
    outcome::{Cause, Failure, Stage},
    policy::Said,
};
use smtp_driver::{
    Runtime, Stream,
    client::Next,
    sasl::{ClientExchange, Login, SaslError},
    tls::Verified,
};
use smtp_proto::{
    EnhancedCode, Misuse, Secret,
    client::{ClientEvent, CommandId},
    wire::{Base64, Mechanism},
};

/// What the policy demands the server does not have (RFC 3463 §3.8).
const NO_MECHANISM: EnhancedCode = EnhancedCode::transient(7, 4);
/// RFC 4954 §6: encryption required for requested authentication mechanism.
const UNPROTECTED: EnhancedCode = EnhancedCode::transient(7, 11);
/// RFC 4954 §6: authentication credentials invalid, here the server's.
const UNPROVEN: EnhancedCode = EnhancedCode::transient(7, 8);

/// Logs in by the best mechanism that the server offers.
pub(crate) async fn log_in<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    login: &Login,
) -> Result<(), Failure> {
    if !conn.policy.danger_login_unprotected {
        check_protected(conn)?;
    }
    let offered = &conn.capabilities().auth;
    let mechanism = match &conn.policy.mechanism {
        Some(wanted) => offered.iter().find(|name| *name == wanted).cloned(),
        None => login.choose(offered, conn.link.channel_binding().as_ref()),
    };
    let Some(mechanism) = mechanism else {
        let text = "the server offers no mechanism that the login can be used with";
        return Err(conn.local(Stage::Auth, Cause::Auth, NO_MECHANISM, text));
    };
    let (id, mut exchange) = begin(conn, login, &mechanism)?;
    loop {
        match conn.next(Stage::Auth).await? {
            Next::Event(ClientEvent::Challenge { data, .. }) => {
                if let Err(wrong) = respond(conn, &mut exchange, data)? {
                    // Tell the server, and hear it out: 501 (RFC 4954 §4).
                    if let Err(misuse) = conn.link.machine().cancel() {
                        return Err(conn.misused(Stage::Auth, misuse));
                    }
                    conn.show(Said::Client(format_args!("*")));
                    let reply = conn.reply_to(id, Stage::Auth).await?;
                    return Err(match wrong {
                        // The server's own words say more.
                        SaslError::Refused(_) => Failure::server(Stage::Auth, reply, &conn.host),
                        wrong => failed(conn, &wrong),
                    });
                }
            }
            Next::Event(ClientEvent::Reply { reply, .. }) if matches!(reply.code(), 200..300) => {
                exchange.finish().map_err(|wrong| failed(conn, &wrong))?;
                conn.mechanism = Some(mechanism);
                return Ok(());
            }
            Next::Event(ClientEvent::Reply { reply, .. }) => {
                return Err(Failure::server(Stage::Auth, reply, &conn.host));
            }
            Next::Event(ClientEvent::Unsolicited(reply)) => {
                return Err(conn.unasked(Stage::Auth, reply));
            }
            Next::Event(_) => {}
            Next::Closed(why) => return Err(conn.closed(Stage::Auth, why)),
            Next::Idle => return Err(conn.misused(Stage::Auth, Misuse::NotNow)),
        }
    }
}

/// Whether a password would be safe on its way and with whom it reaches.
fn check_protected<S: Stream, R: Runtime>(conn: &Connection<S, R>) -> Result<(), Failure> {
    let text = match conn.tls().map(|tls| &tls.verified) {
        Some(Verified::Yes) => return Ok(()),
        Some(Verified::No(why)) => format!("no login with a server that is not verified: {why}"),
        None => "no login in clear text".to_owned(),
    };
    Err(conn.local(Stage::Auth, Cause::Auth, UNPROTECTED, &text))
}

/// Gives the AUTH command; the initial response follows later where the line has no room for it.
fn begin<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    login: &Login,
    mechanism: &Mechanism<'static>,
) -> Result<(CommandId, ClientExchange), Failure> {
    let new = |conn: &Connection<S, R>| {
        let (offered, channel) = (&conn.capabilities().auth, conn.link.channel_binding());
        ClientExchange::new(login, mechanism, offered, channel)
            .map_err(|wrong| failed(conn, &wrong))
    };
    let mut exchange = new(conn)?;
    let initial = exchange.initial().map_err(|wrong| failed(conn, &wrong))?;
    let octets = initial.as_ref().map(|initial| initial.expose().as_slice());
    match conn.link.machine().auth(mechanism, octets) {
        Ok(id) => {
            let hidden = if octets.is_some() { " ***" } else { "" };
            conn.show(Said::Client(format_args!("AUTH {mechanism}{hidden}")));
            Ok((id, exchange))
        }
        Err(Misuse::LineTooLong) => {
            // The responses of an exchange come in their order, so this is a new one.
            let exchange = new(conn)?;
            let command = |conn: &mut Connection<S, R>| conn.link.machine().auth(mechanism, None);
            let id = conn.give(Stage::Auth, command, format_args!("AUTH {mechanism}"))?;
            Ok((id, exchange))
        }
        Err(misuse) => Err(conn.misused(Stage::Auth, misuse)),
    }
}

/// Answers a challenge, or says why it has no answer.
fn respond<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    exchange: &mut ClientExchange,
    challenge: Option<Secret<Base64<'static>>>,
) -> Result<Result<(), SaslError>, Failure> {
    let Some(challenge) = challenge else { return Ok(Err(SaslError::Malformed)) };
    let response = match exchange.respond(&challenge.expose().decode()) {
        Ok(response) => response,
        Err(wrong) => return Ok(Err(wrong)),
    };
    match conn.link.machine().respond(response.expose()) {
        Ok(()) => conn.show(Said::Client(format_args!("***"))),
        Err(misuse) => return Err(conn.misused(Stage::Auth, misuse)),
    }
    Ok(Ok(()))
}

fn failed<S: Stream, R: Runtime>(conn: &Connection<S, R>, wrong: &SaslError) -> Failure {
    let enhanced = match wrong {
        SaslError::Mechanism => NO_MECHANISM,
        SaslError::Unsendable => EnhancedCode::permanent(7, 8),
        _ => UNPROVEN,
    };
    conn.local(Stage::Auth, Cause::Auth, enhanced, &wrong.to_string())
}
