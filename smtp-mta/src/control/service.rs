//! The server's side of the socket.

use super::{
    handler::{Handler, Reply},
    protocol::{Answer, Done, Octets, REQUEST, Request, VERSION},
    socket,
};
use crate::data_dir::DataDir;
use serde::Deserialize;
use std::{fs, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::{
        UnixListener, UnixStream,
        unix::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::Semaphore,
    task::{JoinHandle, JoinSet},
    time::{sleep, timeout},
};

/// Connections at the same time. One more is told so, and closed.
const CONNECTIONS: usize = 16;

/// How long a client may say nothing, or not read what it is told. It can come back.
const STALL: Duration = Duration::from_secs(60);

/// How long nothing is accepted after that has failed.
const AGAIN: Duration = Duration::from_secs(1);

/// Answers at the socket until it is dropped.
#[derive(Debug)]
pub struct Service {
    path: PathBuf,
    task: JoinHandle<()>,
}

impl Service {
    /// Makes the socket in the data folder and answers there, by `handler`. Must be called within a
    /// runtime of tokio.
    ///
    /// # Errors
    /// A plain sentence about why it cannot be made.
    pub fn start(data: &DataDir, handler: Handler) -> Result<Self, String> {
        let path = socket::path(data.path());
        let listener = socket::bind(data.path()).and_then(|listener| {
            listener.set_nonblocking(true)?;
            UnixListener::from_std(listener)
        });
        let listener = listener
            .map_err(|error| format!("cannot make the socket {}: {error}", path.display()))?;
        Ok(Self { path, task: tokio::spawn(accept(listener, handler)) })
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        self.task.abort();
        // One that stays harms nobody: the next server replaces it.
        drop(fs::remove_file(&self.path));
    }
}

async fn accept(listener: UnixListener, handler: Handler) {
    let slots = Arc::new(Semaphore::new(CONNECTIONS));
    let mut clients = JoinSet::new();
    loop {
        let stream = tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, _)) => stream,
                Err(error) => {
                    tracing::error!(reason = error.to_string(), "no answer at the control socket");
                    sleep(AGAIN).await;
                    continue;
                }
            },
            Some(_) = clients.join_next() => continue,
        };
        let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
            let full = "too many commands at the same time: try again";
            // A new socket has room for it; if not, closing says it too.
            drop(stream.try_write(&line(&Answer::Error(full.into()))));
            continue;
        };
        let handler = handler.clone();
        clients.spawn(async move {
            // A client that has left needs no answer.
            drop(Connection::new(stream, handler).run().await);
            drop(slot);
        });
    }
}

/// A client.
struct Connection {
    requests: BufReader<OwnedReadHalf>,
    answers: OwnedWriteHalf,
    handler: Handler,
}

impl Connection {
    fn new(stream: UnixStream, handler: Handler) -> Self {
        let (requests, answers) = stream.into_split();
        Self { requests: BufReader::new(requests), answers, handler }
    }

    async fn run(mut self) -> io::Result<()> {
        let mut octets = Vec::new();
        loop {
            octets.clear();
            let mut most = (&mut self.requests).take(REQUEST as u64);
            timeout(STALL, most.read_until(b'\n', &mut octets)).await??;
            if octets.is_empty() {
                return Ok(());
            }
            let request = match request(&octets) {
                Ok(request) => request,
                // What comes behind it may be the rest of it.
                Err(sentence) => return self.say(&Answer::Error(sentence)).await,
            };
            match self.handler.reply(request.ask).await {
                Reply::Answers(answers) => {
                    for answer in answers {
                        self.say(&answer).await?;
                    }
                }
                Reply::Body(mut body) => loop {
                    match body.next().await {
                        Ok(octets) if octets.is_empty() => {
                            let done = Done { messages: 1, ..Done::default() };
                            self.say(&Answer::Done(done)).await?;
                            break;
                        }
                        Ok(octets) => self.say(&Answer::Octets(Octets(octets.into()))).await?,
                        Err(error) => {
                            self.say(&Answer::Error(error.to_string())).await?;
                            break;
                        }
                    }
                },
            }
        }
    }

    async fn say(&mut self, answer: &Answer) -> io::Result<()> {
        timeout(STALL, self.answers.write_all(&line(answer))).await?
    }
}

fn line(answer: &Answer) -> Vec<u8> {
    // Of what an answer is made, all can be written: there is no map in it.
    let mut line = serde_json::to_vec(answer).unwrap_or_default();
    line.push(b'\n');
    line
}

/// Reads a line, or says why not.
fn request(line: &[u8]) -> Result<Request, String> {
    #[derive(Deserialize)]
    struct Version {
        version: u32,
    }

    if line.last() != Some(&b'\n') {
        return Err(format!("a request is a line of {REQUEST} octets at most"));
    }
    let wrong = |error: serde_json::Error| format!("not a request: {error}");
    let Version { version } = serde_json::from_slice(line).map_err(wrong)?;
    if version != VERSION {
        return Err(format!(
            "the server that runs speaks version {VERSION}, not {version}: it is of another \
             release than this command"
        ));
    }
    serde_json::from_slice(line).map_err(wrong)
}
