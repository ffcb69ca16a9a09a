//! A server that says what a test wants to each command.

use std::{
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    thread,
};

/// A server that answers by a function of the command, and of how often it was said before. It runs
/// until the process ends.
pub(crate) struct Far {
    /// The first words of all commands.
    pub(crate) said: Arc<Mutex<Vec<String>>>,
}

impl Far {
    pub(crate) fn start(
        at: SocketAddr,
        answer: impl Fn(&str, usize) -> Option<&'static str> + Send + Sync + 'static,
    ) -> Self {
        let (listener, said) = (TcpListener::bind(at).unwrap(), Arc::default());
        let (answer, heard) = (Arc::new(answer), Arc::clone(&said));
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (answer, heard) = (Arc::clone(&answer), Arc::clone(&heard));
                thread::spawn(move || talk(&stream, &*answer, &heard));
            }
        });
        Self { said }
    }

    pub(crate) fn count(&self, verb: &str) -> usize {
        self.said.lock().unwrap().iter().filter(|said| *said == verb).count()
    }
}

fn talk(
    stream: &TcpStream,
    answer: &dyn Fn(&str, usize) -> Option<&'static str>,
    said: &Mutex<Vec<String>>,
) -> Option<()> {
    let mut writer = stream;
    let mut say = |line: &str| write!(writer, "{line}\r\n").ok();
    let reply = |verb: &str| {
        let mut said = said.lock().unwrap();
        let before = said.iter().filter(|it| *it == verb).count();
        said.push(verb.to_owned());
        answer(verb, before)
    };
    say(reply("connect").unwrap_or("220 far"))?;
    let mut lines = BufReader::new(stream).lines();
    loop {
        let line = lines.next()?.ok()?;
        let verb = line.split([' ', ':']).next().unwrap_or_default().to_ascii_uppercase();
        let said = reply(&verb).unwrap_or(match verb.as_str() {
            "DATA" => "354 go on",
            "QUIT" => "221 bye",
            _ => "250 ok",
        });
        say(said)?;
        if verb == "DATA" && said.starts_with('3') {
            while lines.next()?.ok()? != "." {}
            say(reply("end").unwrap_or("250 ok"))?;
        }
        if said.starts_with("421") || verb == "QUIT" {
            return None;
        }
    }
}
