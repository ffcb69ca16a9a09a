//! What is said on a connection, as it is said.

use smtp_client::{Said, Watch};
use std::io::{self, Write};

/// Prints it on the standard error output: `->` what we say, `<-` what the server says. There are
/// no passwords in it, and of messages only their size.
pub(super) fn on_stderr() -> Watch {
    Watch::new(|said| {
        // If the output is closed, the message is sent all the same.
        let _ = write(&mut io::stderr().lock(), said);
    })
}

fn write(out: &mut impl Write, said: Said<'_>) -> io::Result<()> {
    match said {
        Said::Client(line) => writeln!(out, "-> {line}"),
        Said::Body(size) => writeln!(out, "-> [{size} octets]"),
        Said::Server(_, reply) => {
            let mut lines = reply.lines().peekable();
            while let Some(line) = lines.next() {
                let separator = if lines.peek().is_some() { '-' } else { ' ' };
                writeln!(out, "<- {}{separator}{}", reply.code(), line.escape_ascii())?;
            }
            Ok(())
        }
        _ => Ok(()),
    }
}
