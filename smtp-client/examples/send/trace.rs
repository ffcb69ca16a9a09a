//! What was said, in a file.

use smtp_client::{Said, Watch, proto::wire::Reply};
use std::{
    fs::File,
    io::{self, Write},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

/// A file of `C: ` and `S: ` lines, without secrets and messages.
pub(crate) struct Trace(Arc<Mutex<File>>);

impl Trace {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        File::create(path).map(|file| Self(Arc::new(Mutex::new(file))))
    }

    /// Writes all that is said on a connection.
    pub(crate) fn watch(&self) -> Watch {
        let file = self.0.clone();
        Watch::new(move |said| {
            let mut file = file.lock().unwrap_or_else(PoisonError::into_inner);
            let written = match said {
                Said::Client(line) => writeln!(file, "C: {line}"),
                Said::Body(size) => writeln!(file, "C: [{size} octets]"),
                Said::Server(_, reply) => write_reply(&mut file, reply),
                _ => Ok(()),
            };
            if let Err(error) = written {
                eprintln!("the trace cannot be written: {error}");
            }
        })
    }
}

fn write_reply(file: &mut File, reply: &Reply<'_>) -> io::Result<()> {
    let mut lines = reply.lines().peekable();
    while let Some(line) = lines.next() {
        let separator = if lines.peek().is_some() { '-' } else { ' ' };
        writeln!(file, "S: {}{separator}{}", reply.code(), line.escape_ascii())?;
    }
    Ok(())
}
