//! The floor on tokio: `floor-tokio ADDRESS:PORT [OCTETS]`, one worker thread.

use floor::{GREETING, Options, Responder, listen};
use std::{error::Error, io};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream},
    runtime::Builder,
};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::of_command_line()?;
    Builder::new_multi_thread().worker_threads(1).enable_all().build()?.block_on(async {
        let listener = TcpListener::from_std(listen(options.address)?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            tokio::spawn(serve(stream, options.buffer));
        }
    })
}

async fn serve(mut stream: TcpStream, size: usize) -> io::Result<()> {
    stream.set_nodelay(true)?;
    stream.write_all(GREETING).await?;
    let (mut responder, mut output) = (Responder::default(), Vec::new());
    let (mut buffer, mut filled) = (vec![0; size], 0);
    while !responder.closed {
        let n = stream.read(&mut buffer[filled..]).await?;
        if n == 0 {
            break;
        }
        filled += n;
        let consumed = responder.respond(&buffer[..filled], &mut output);
        buffer.copy_within(consumed..filled, 0);
        filled -= consumed;
        if !output.is_empty() {
            stream.write_all(&output).await?;
            output.clear();
        }
    }
    Ok(())
}
