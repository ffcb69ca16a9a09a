//! From a new stream to a server that is ready for a message.

use crate::{
    auth,
    connection::{Connection, broken, show},
    outcome::{Cause, Failure, Stage},
    policy::{Policy, Said, Tls, Watch},
};
use smtp_driver::{
    Runtime, Stream,
    client::{ClientLink, Next},
    tls::Connector,
};
use smtp_proto::{
    CloseReason, EnhancedCode,
    client::{ClientEvent, Mode},
};
use std::sync::Arc;

/// TLS is demanded and not to be had (RFC 3463 §3.8: security features not supported).
const NO_TLS: EnhancedCode = EnhancedCode::transient(7, 4);

pub(crate) async fn open<S: Stream, R: Runtime>(
    stream: S,
    runtime: R,
    host: Arc<str>,
    policy: Arc<Policy>,
    watch: Option<Watch>,
) -> Result<Connection<S, R>, Failure> {
    let failed = |stage, error| {
        let failure = broken(stage, error, &host);
        show(&policy, watch.as_ref(), Said::Failure(&failure));
        failure
    };
    let (machine, buffers) = (policy.machine.clone(), policy.buffers.clone());
    let mut connection = match &policy.tls {
        Tls::Implicit(connector) => {
            let begun = ClientLink::over_tls(stream, runtime, machine, buffers, connector).await;
            let (link, tls) = begun.map_err(|error| failed(Stage::Tls, error))?;
            let mut connection = Connection::new(link, host, policy, watch);
            connection.is_encrypted(tls);
            connection
        }
        _ => {
            let link = ClientLink::new(stream, runtime, machine, buffers)
                .map_err(|error| failed(Stage::Connect, error.into()))?;
            Connection::new(link, host, policy, watch)
        }
    };
    match introduce(&mut connection).await {
        Ok(()) => Ok(connection),
        Err(failure) => {
            if failure.cause != Cause::Server {
                connection.show(Said::Failure(&failure));
            }
            connection.quit().await;
            Err(failure)
        }
    }
}

async fn introduce<S: Stream, R: Runtime>(conn: &mut Connection<S, R>) -> Result<(), Failure> {
    greeting(conn).await?;
    hello(conn).await?;
    let policy = conn.policy.clone();
    match &policy.tls {
        Tls::None | Tls::Implicit(_) => {}
        Tls::Opportunistic(connector) => {
            if conn.capabilities().starttls {
                start_tls(conn, connector, false).await?;
            }
        }
        Tls::Required(connector) => {
            if !conn.capabilities().starttls {
                return Err(no_tls(conn, "the server does not offer STARTTLS, which is required"));
            }
            start_tls(conn, connector, true).await?;
        }
    }
    match &policy.login {
        Some(login) => auth::log_in(conn, login).await,
        None => Ok(()),
    }
}

/// RFC 5321 §3.1.
async fn greeting<S: Stream, R: Runtime>(conn: &mut Connection<S, R>) -> Result<(), Failure> {
    let stage = Stage::Greeting;
    match conn.next(stage).await? {
        Next::Event(ClientEvent::Greeting(reply)) if matches!(reply.code(), 200..300) => Ok(()),
        Next::Event(ClientEvent::Greeting(reply)) => Err(Failure::server(stage, reply, &conn.host)),
        Next::Closed(why) => Err(conn.closed(stage, why)),
        Next::Event(_) | Next::Idle => Err(conn.closed(stage, CloseReason::Unintelligible)),
    }
}

/// RFC 5321 §3.2. The machine falls back to HELO by itself.
async fn hello<S: Stream, R: Runtime>(conn: &mut Connection<S, R>) -> Result<(), Failure> {
    let name = conn.policy.hello.clone();
    let verb = match conn.policy.machine.mode() {
        Mode::Smtp => "EHLO",
        Mode::Lmtp => "LHLO",
    };
    let id = conn.give(
        Stage::Hello,
        |conn| conn.link.machine().hello(&name),
        format_args!("{verb} {name}"),
    )?;
    let reply = conn.reply_to(id, Stage::Hello).await?;
    match reply.code() {
        200..300 => Ok(()),
        _ => Err(Failure::server(Stage::Hello, reply, &conn.host)),
    }
}

/// RFC 3207 §4. Unless it is `required`, a server that refuses is talked to in clear.
async fn start_tls<S: Stream, R: Runtime>(
    conn: &mut Connection<S, R>,
    connector: &Connector,
    required: bool,
) -> Result<(), Failure> {
    let id =
        conn.give(Stage::Tls, |conn| conn.link.machine().start_tls(), format_args!("STARTTLS"))?;
    let reply = conn.reply_to(id, Stage::Tls).await?;
    if !matches!(reply.code(), 200..300) {
        // Its class is not that of the message, which may go when the server is itself again.
        return match required || reply.code() == 421 {
            true => Err(no_tls(conn, &format!("the server refuses STARTTLS: {reply}"))),
            false => Ok(()),
        };
    }
    loop {
        match conn.next(Stage::Tls).await? {
            Next::Event(ClientEvent::Handshake) => break,
            Next::Event(ClientEvent::Unsolicited(reply)) => {
                return Err(conn.unasked(Stage::Tls, reply));
            }
            Next::Event(_) => {}
            Next::Closed(why) => return Err(conn.closed(Stage::Tls, why)),
            Next::Idle => return Err(conn.closed(Stage::Tls, CloseReason::Unintelligible)),
        }
    }
    let done = conn.link.handshake(connector).await;
    let tls = done.map_err(|error| conn.broken(Stage::Tls, error))?;
    conn.is_encrypted(tls);
    // What was offered in clear is forgotten (§4.2).
    hello(conn).await
}

fn no_tls<S: Stream, R: Runtime>(conn: &Connection<S, R>, text: &str) -> Failure {
    conn.local(Stage::Tls, Cause::Tls, NO_TLS, text)
}
