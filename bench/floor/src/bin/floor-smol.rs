//! The floor on smol: `floor-smol ADDRESS:PORT [OCTETS]`, one thread unless `SMOL_THREADS` says
//! otherwise.

use floor::{GREETING, Options, Responder, listen};
use smol::{
    Async,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};
use std::{error::Error, io, net::TcpStream};

fn main() -> Result<(), Box<dyn Error>> {
    let options = Options::of_command_line()?;
    smol::block_on(async {
        let listener = Async::new(listen(options.address)?)?;
        loop {
            let (stream, _) = listener.accept().await?;
            smol::spawn(serve(stream, options.buffer)).detach();
        }
    })
}

async fn serve(mut stream: Async<TcpStream>, size: usize) -> io::Result<()> {
    stream.get_ref().set_nodelay(true)?;
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
