//! What both loads have in common: all but the runtime.

use clap::Parser;
use smtp_client::{
    Connect, Destination, Envelope, Policy, Pool, PoolConfig, Status,
    proto::{body::Framing, client::ClientConfig, ext::BodyType, wire::HelloName},
};
use std::{
    cell::Cell,
    error::Error,
    fs,
    net::SocketAddr,
    process::ExitCode,
    sync::Arc,
    time::{Duration, Instant},
};

/// Sends many messages to one server over connections that are kept, and prints what that took.
/// Exits with 0 if all were sent.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Address and port.
    #[arg(long, default_value = "127.0.0.1:25")]
    server: SocketAddr,
    /// Messages.
    #[arg(long, default_value_t = 10_000)]
    messages: u64,
    /// Octets of each.
    #[arg(long, default_value_t = 1_024, value_parser = clap::value_parser!(u64).range(64..1 << 32))]
    size: u64,
    /// Connections at a time.
    #[arg(long, default_value_t = 20)]
    connections: u16,
    /// Messages of one connection; our own servers take no more than this.
    #[arg(long, default_value_t = 1_000)]
    kept: u32,
    /// BDAT instead of DATA, where it is offered.
    #[arg(long)]
    chunking: bool,
    /// One command at a time.
    #[arg(long)]
    no_pipelining: bool,
    /// The sender.
    #[arg(long, default_value = "sender@example.test")]
    from: String,
    /// The recipient.
    #[arg(long, default_value = "recipient@example.test")]
    to: String,
    /// What to call ourselves.
    #[arg(long, default_value = "localhost")]
    helo: String,
    /// Has each message looked at for its size and 8-bit octets, rather than telling them.
    #[arg(long)]
    look: bool,
}

/// Sends what the command line says.
pub(crate) async fn run(runtime: impl Connect) -> ExitCode {
    match load(runtime, &Options::parse()).await {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Whether all were sent.
async fn load(runtime: impl Connect, options: &Options) -> Result<bool, Box<dyn Error>> {
    let connections = usize::from(options.connections.max(1));
    let transactions = options.kept;
    let pool =
        Pool::new(runtime, PoolConfig { connections, transactions, ..PoolConfig::default() });
    let to = options.destination()?;
    let message = message(options.size);
    let mut envelope = Envelope::builder(&options.from).to(&options.to);
    if !options.look {
        envelope = envelope.size(message.len() as u64).content(BodyType::SevenBit);
    }
    let envelope = envelope.build()?;

    let (left, sent) = (Cell::new(options.messages), Cell::new(0_u64));
    let (started, cpu) = (Instant::now(), cpu()?);
    let worker = async |_| {
        while let Some(rest) = left.get().checked_sub(1) {
            left.set(rest);
            let report = pool.send(&to, &envelope, &message).await;
            sent.set(sent.get() + report.count(Status::Sent) as u64);
            if let Some(outcome) = report.outcomes.iter().find(|it| it.status != Status::Sent) {
                eprintln!("{} at {}: {}", outcome.status, outcome.stage, outcome.reply);
            }
        }
    };
    futures_util::future::join_all((0..connections).map(worker)).await;
    let (seconds, cpu) = (started.elapsed().as_secs_f64(), self::cpu()?.saturating_sub(cpu));
    pool.close().await;

    let sent = sent.get();
    println!(
        "{sent} messages of {} octets, {seconds:.3} s, {:.0} messages/s, {:.2} CPU s, {:.1} CPU us/message",
        message.len(),
        sent as f64 / seconds,
        cpu.as_secs_f64(),
        cpu.as_secs_f64() * 1e6 / sent.max(1) as f64,
    );
    Ok(sent == options.messages)
}

impl Options {
    fn destination(&self) -> Result<Destination, Box<dyn Error>> {
        let mut policy = Policy::new(HelloName::parse(&self.helo)?);
        if self.no_pipelining {
            policy.machine = ClientConfig::builder().without_pipelining().build();
        }
        if self.chunking {
            policy.framing = Framing::Chunked;
        }
        let host = self.server.to_string().into();
        Ok(Destination { host, endpoint: self.server.into(), policy: Arc::new(policy) })
    }
}

/// A message of `size` octets, in lines of 76.
fn message(size: u64) -> Vec<u8> {
    let mut message = b"From: sender@example.test\r\nSubject: load\r\n\r\n".to_vec();
    let mut rest = size as usize - message.len();
    while rest > 0 {
        // No line is only its CRLF, or half of it.
        let line = if rest < 80 { rest } else { 78 };
        message.resize(message.len() + line.saturating_sub(2), b'x');
        message.extend_from_slice(b"\r\n");
        rest = rest.saturating_sub(line.max(2));
    }
    message
}

/// What this process has used of the CPUs; in hundredths of seconds, as Linux tells it.
fn cpu() -> Result<Duration, Box<dyn Error>> {
    let stat = fs::read_to_string("/proc/self/stat")?;
    // The name, in parentheses, may hold anything; the state is the first field behind it.
    let fields = stat.rsplit_once(')').ok_or("no name in /proc/self/stat")?.1;
    let times = fields.split_whitespace().skip(11).take(2).map(str::parse::<u64>);
    let ticks = times.sum::<Result<u64, _>>()?;
    Ok(Duration::from_millis(ticks * 10))
}
