//! A server on plain threads: no runtime, no driver, one thread a connection.
//!
//! `cargo run -p smtp-proto --example blocking -- 127.0.0.1:2525` takes mail for anybody at
//! `example.test` and prints it. It shows everything that an adapter must do: read, write, wait for
//! the machine's timers, and answer its questions.

use smtp_proto::{
    CloseReason, Instant, Need, Step,
    ext::Extensions,
    server::{Event, ServerConfig, ServerConnection, Start},
    wire::{ForwardPath, Host, Refused},
};
use std::{
    env, error,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::Arc,
    thread, time,
};

fn main() -> Result<(), Box<dyn error::Error>> {
    let address = env::args().nth(1).unwrap_or_else(|| "127.0.0.1:0".into());
    let listener = TcpListener::bind(address)?;
    println!("listening on {}", listener.local_addr()?);
    let config = ServerConfig::builder(Host::parse("mx.example.test")?)
        .extensions(Extensions::new().smtputf8().chunking())
        .build();
    for stream in listener.incoming() {
        let (stream, config) = (stream?, Arc::clone(&config));
        thread::spawn(move || match serve(stream, config) {
            Ok(why) => println!("-- closed: {why:?}"),
            Err(error) => println!("-- lost: {error}"),
        });
    }
    Ok(())
}

/// One connection, from its first octet to its last.
fn serve(mut stream: TcpStream, config: Arc<ServerConfig>) -> io::Result<CloseReason> {
    // Replies leave in groups already; waiting for more to send would only delay them.
    stream.set_nodelay(true)?;
    let origin = time::Instant::now();
    let now = || Instant::ZERO + origin.elapsed();
    let mut buffer = vec![0; config.limits().max_unread() + 4096];
    let mut filled = 0;
    let mut machine = ServerConnection::new(config, Start::Plain);
    let mut message = Vec::new();
    loop {
        // What the peer has sent so far, in the order of the contract: events until there is a need.
        let mut unread = &buffer[..filled];
        let need = loop {
            match machine.poll_event(&mut unread, now()) {
                Step::Event(event) => answer(&mut machine, event, &mut message),
                Step::Need(need) => break Ok(need),
                Step::Closed(why) => break Err(why),
            }
        };
        let left = unread.len();
        buffer.copy_within(filled - left..filled, 0);
        filled = left;
        // All replies to what came together leave together.
        while let Some(output) = machine.poll_transmit() {
            let n = stream.write(output)?;
            machine.handle_transmitted(n);
        }
        match need {
            Err(why) => {
                // Half-closed first: closing with octets unread would reset the connection, and
                // the reset could overtake our last reply.
                stream.shutdown(Shutdown::Write)?;
                let linger = machine.config().timeouts().linger;
                stream.set_read_timeout(Some(linger))?;
                while stream.read(&mut buffer).is_ok_and(|n| n > 0) {}
                return Ok(why);
            }
            // Every question is answered at once here, and all output was just written.
            Ok(Need::Decision | Need::Flush) => {}
            Ok(Need::Input) => {
                let wait = machine.poll_timeout().map(|at| at.saturating_since(now()));
                stream
                    .set_read_timeout(wait.map(|wait| wait.max(time::Duration::from_millis(1))))?;
                match stream.read(&mut buffer[filled..]) {
                    Ok(0) => machine.handle_eof(),
                    Ok(n) => filled += n,
                    Err(e) if is_timeout(&e) => machine.handle_timeout(now()),
                    Err(e) => return Err(e),
                }
            }
        }
    }
}

/// The policy: who may get mail, and what becomes of it.
fn answer(machine: &mut ServerConnection, event: Event<'_>, message: &mut Vec<u8>) {
    // An answer can only be stale when its timer has fired meanwhile.
    let _ = match event {
        Event::Rcpt { rcpt, pending } => match &rcpt.to {
            ForwardPath::Postmaster => machine.accept(pending),
            ForwardPath::Mailbox(mailbox) if mailbox.host.to_string() == "example.test" => {
                machine.accept(pending)
            }
            ForwardPath::Mailbox(_) => machine.refuse(pending, &Refused::RELAY_DENIED),
        },
        Event::Body(octets) => {
            message.extend_from_slice(octets);
            Ok(())
        }
        Event::BodyEnd { size, pending } => {
            println!("-- {size} octets\n{}", String::from_utf8_lossy(message));
            machine.accept(pending)
        }
        Event::BodyAborted(_) | Event::Reset(_) => {
            message.clear();
            Ok(())
        }
        other => {
            machine.answer_default(other);
            Ok(())
        }
    };
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut)
}
