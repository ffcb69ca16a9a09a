//! Sending by `smtp-client`, on tokio.

use smtp_client::{
    Connection, Envelope, Policy,
    proto::wire::HelloName,
    runtime::tokio::{Tokio, connect},
};
use std::{error::Error, net::SocketAddr, sync::Arc};

/// Sends a message to two recipients, in clear since the policy asks for no TLS, and gives what became of each.
///
/// # Errors
/// There is no server, or it does not want us. What is wrong with a recipient is an outcome.
pub async fn send(server: SocketAddr) -> Result<Vec<String>, Box<dyn Error>> {
    let policy = Policy::new(HelloName::parse("client.example.test")?);
    let stream = connect(server).await?;
    let mut connection =
        Connection::open(stream, Tokio::new(), "mx.example.test", Arc::new(policy)).await?;

    let envelope = Envelope::builder("ann@example.test")
        .to("bob@example.test")
        .to("nobody@example.test")
        .build()?;
    let report = connection.send(&envelope, "Subject: Tea\r\n\r\n... at four?\r\n").await;
    connection.quit().await;
    let became = envelope.recipients().iter().zip(&report.outcomes);
    Ok(became.map(|(to, it)| format!("{}: {} {}", to.to, it.status, it.reply)).collect())
}
