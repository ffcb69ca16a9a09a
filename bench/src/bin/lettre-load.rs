//! lettre as a load: `lettre-load ADDRESS:PORT MESSAGES OCTETS CONNECTIONS`.
//!
//! As lettre's manual has it: one pooled transport, as many tasks as connections.

use futures_util::future::join_all;
use lettre::{
    Address, AsyncSmtpTransport, AsyncTransport, Tokio1Executor, address::Envelope,
    transport::smtp::PoolConfig,
};
use std::{env, error::Error, net::SocketAddr, sync::Arc, time::Instant};

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = env::args().skip(1).collect();
    let [server, messages, octets, connections] = &arguments[..] else {
        return Err("usage: lettre-load ADDRESS:PORT MESSAGES OCTETS CONNECTIONS".into());
    };
    let server: SocketAddr = server.parse()?;
    let (messages, octets): (usize, usize) = (messages.parse()?, octets.parse()?);
    let connections: u32 = connections.parse()?;

    let transport =
        AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous(server.ip().to_string())
            .port(server.port())
            .pool_config(PoolConfig::new().max_size(connections))
            .build();
    let from: Address = "load@client.example".parse()?;
    let to: Address = "sink@mx.example".parse()?;
    let envelope = Envelope::new(Some(from), vec![to])?;
    let mut text = b"Subject: load\r\n\r\n".to_vec();
    let line = [&[b'x'; 74][..], b"\r\n"].concat();
    while text.len() < octets {
        let n = line.len().min((octets - text.len()).max(2));
        text.extend_from_slice(&line[line.len() - n..]);
    }
    let text: Arc<[u8]> = text.into();

    let began = Instant::now();
    let many = connections as usize;
    let tasks = (0..many).map(|task| {
        let share = messages / many + usize::from(task < messages % many);
        let (transport, envelope, text) = (transport.clone(), envelope.clone(), text.clone());
        tokio::spawn(async move {
            let mut sent = 0;
            for _ in 0..share {
                sent += usize::from(transport.send_raw(&envelope, &text).await.is_ok());
            }
            sent
        })
    });
    let sent: usize = join_all(tasks).await.into_iter().map(|task| task.unwrap_or(0)).sum();
    println!("{sent} sent in {:.3} s", began.elapsed().as_secs_f64());
    Ok(())
}
