//! Type SMTP by hand: `cargo run -p smtp-proto --example stdio`.
//!
//! You are the client; a line you type gets its CRLF. The events that the machine gives its
//! embedder are shown in between, with `--`. Every question is answered with yes.

use smtp_proto::{
    Instant, Need, Step,
    ext::Extensions,
    server::{Event, ServerConfig, ServerConnection, Stale, Start},
    wire::{Host, Mechanism},
};
use std::{
    error,
    io::{self, BufRead, Write},
    time,
};

fn main() -> Result<(), Box<dyn error::Error>> {
    let config = ServerConfig::builder(Host::parse("mx.example.test")?)
        .extensions(
            Extensions::new()
                .smtputf8()
                .chunking()
                .dsn()
                .expn()
                .auth([Mechanism::PLAIN, Mechanism::LOGIN])
                .danger_auth_in_clear(),
        )
        .build();
    let mut machine = ServerConnection::new(config, Start::Plain);
    let origin = time::Instant::now();
    let mut typed = io::stdin().lock().lines();
    let mut input = Vec::new();
    loop {
        let now = Instant::ZERO + origin.elapsed();
        // You think as long as you like, but a real peer would not get away with it.
        machine.handle_timeout(now);
        let mut unread = &input[..];
        let step = machine.poll_event(&mut unread, now);
        if let Step::Event(event) = step {
            // The event borrows the input, which is why it is shown and answered first.
            println!("-- {event:?}");
            yes(&mut machine, event)?;
        } else {
            let need = match step {
                Step::Need(need) => Some(need),
                _ => None,
            };
            let mut output = io::stdout().lock();
            while let Some(octets) = machine.poll_transmit() {
                output.write_all(octets)?;
                let n = octets.len();
                machine.handle_transmitted(n);
            }
            output.flush()?;
            match need {
                None => return Ok(()),
                Some(Need::Flush | Need::Decision) => {}
                Some(Need::Input) => {
                    let left = unread.len();
                    input.drain(..input.len() - left);
                    match typed.next() {
                        Some(line) => {
                            input.extend_from_slice(line?.as_bytes());
                            input.extend_from_slice(b"\r\n");
                        }
                        None => machine.handle_eof(),
                    }
                    continue;
                }
            }
        }
        let left = unread.len();
        input.drain(..input.len() - left);
    }
}

/// Yes to everything.
fn yes(machine: &mut ServerConnection, event: Event<'_>) -> Result<(), Stale> {
    match event {
        Event::Auth { pending, initial: None, .. } => machine.challenge(pending, b"who are you?"),
        Event::Auth { pending, .. } | Event::AuthResponse { pending, .. } => {
            machine.accept(pending)
        }
        Event::Rcpt { pending, .. } => machine.accept(pending),
        Event::BodyEnd { pending, .. } => machine.accept(pending),
        Event::Expand { pending, .. } => machine.accept(pending),
        other => {
            machine.answer_default(other);
            Ok(())
        }
    }
}
