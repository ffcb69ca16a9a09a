use lettre::{AsyncSmtpTransport, AsyncTransport, Message, Tokio1Executor, address::Envelope};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let port = std::env::args().nth(1).ok_or("a port")?.parse()?;
    let message = Message::builder()
        .from("Ann <ann@example.test>".parse()?)
        .to("Bob <bob@example.test>".parse()?)
        .subject("Tea")
        .body(String::from("... at four?\r\n"))?;
    let transport = AsyncSmtpTransport::<Tokio1Executor>::builder_dangerous("127.0.0.1")
        .port(port)
        .build();
    let response = transport.send(message).await?;
    println!("{}", response.code());

    // One of them is unknown: the whole message fails.
    let both = vec!["bob@example.test".parse()?, "nobody@example.test".parse()?];
    let envelope = Envelope::new(Some("ann@example.test".parse()?), both)?;
    match transport.send_raw(&envelope, b"Subject: Tea\r\n\r\n... at four?\r\n").await {
        Ok(response) => println!("{}", response.code()),
        Err(error) => println!("{error}"),
    }
    Ok(())
}
