//! The command's side: the server that runs, or else the queue itself.

use super::{
    handler::{Body, Handler, Reply},
    protocol::{Answer, Ask, Change, Done, Message, NAMES, Octets, Request, Selection, VERSION},
    socket,
};
use crate::{
    data_dir::DataDir,
    message_id::MessageId,
    queue::{Options, SqliteQueue},
};
use std::{
    io::{self, BufRead, BufReader, Write},
    os::unix::net::UnixStream,
    path::PathBuf,
    thread::sleep,
    time::{Duration, Instant},
};
use tokio::runtime::Runtime;

/// How long a folder may be in use without an answer at its socket: a server starts or stops, or
/// another command is at work.
const PATIENCE: Duration = Duration::from_secs(10);

/// Between two looks at it.
const LOOK: Duration = Duration::from_millis(20);

/// How long the server may take for an answer.
const ANSWER: Duration = Duration::from_secs(60);

/// Why something was not done.
#[derive(Debug)]
pub(super) enum Trouble {
    /// A plain sentence.
    Refused(String),
    /// The connection to the server was cut.
    Cut(io::Error),
    /// Nobody reads what is printed.
    Output(io::Error),
}

impl From<String> for Trouble {
    fn from(sentence: String) -> Self {
        Self::Refused(sentence)
    }
}

/// Asks whoever has the queue.
#[derive(Debug)]
pub(super) struct Client {
    data: PathBuf,
    options: Options,
    patience: Duration,
    runtime: Runtime,
    link: Option<Link>,
}

#[derive(Debug)]
enum Link {
    Server(BufReader<UnixStream>),
    /// No server runs: the queue, in the folder that is locked for us.
    Folder {
        handler: Handler,
        _data: DataDir,
    },
}

impl Client {
    /// A client for the data folder `data`, whose queue has these options.
    pub(super) fn new(data: PathBuf, options: Options) -> Result<Self, String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build();
        let runtime = runtime.map_err(|error| format!("cannot start: {error}"))?;
        Ok(Self { data, options, patience: PATIENCE, runtime, link: None })
    }

    /// Hands over each message that is meant, in constant memory.
    pub(super) fn list(
        &mut self,
        filter: &Selection,
        mut each: impl FnMut(Message) -> io::Result<()>,
    ) -> Result<(), Trouble> {
        for filter in pages(filter) {
            let mut after = None;
            loop {
                let ask = Ask::List { filter: filter.clone(), after };
                let (answers, done) = self.ask(&ask)?;
                // What reads the list may wait for a person.
                self.release();
                for answer in answers {
                    if let Answer::Message(message) = answer {
                        each(message).map_err(Trouble::Output)?;
                    }
                }
                after = done.after;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok(())
    }

    /// One message.
    pub(super) fn show(&mut self, id: MessageId) -> Result<Message, Trouble> {
        let (answers, _) = self.ask(&Ask::Show { id })?;
        let message = answers.into_iter().find_map(|answer| match answer {
            Answer::Message(message) => Some(message),
            _ => None,
        });
        message.ok_or_else(|| unexpected().into())
    }

    /// Changes what is meant. Gives the messages that were, if `filter` names some, and how many.
    pub(super) fn change(
        &mut self,
        change: Change,
        filter: &Selection,
    ) -> Result<(Vec<MessageId>, Done), Trouble> {
        let (mut changed, mut sum) = (Vec::new(), Done::default());
        for filter in pages(filter) {
            let mut after = None;
            loop {
                let ask = Ask::Change { change, filter: filter.clone(), after };
                let (answers, done) = self.ask(&ask)?;
                sum.messages += done.messages;
                sum.recipients += done.recipients;
                for answer in answers {
                    if let Answer::Changed(ids) = answer
                        && !filter.ids.is_empty()
                    {
                        changed.extend(ids);
                    }
                }
                after = done.after;
                if after.is_none() {
                    break;
                }
            }
        }
        Ok((changed, sum))
    }

    /// Hands over the octets of a message, until `each` wants no more.
    pub(super) fn body(
        &mut self,
        id: MessageId,
        mut each: impl FnMut(&[u8]) -> io::Result<bool>,
    ) -> Result<(), Trouble> {
        let mut skip = 0;
        loop {
            let before = skip;
            let mut count = |octets: &[u8]| {
                skip += octets.len() as u64;
                each(octets)
            };
            match self.body_once(Ask::Body { id, skip: before }, &mut count) {
                // The server does not wait for a reader who takes a pause.
                Err(Trouble::Cut(_)) if skip > before => self.release(),
                other => return other,
            }
        }
    }

    fn body_once(
        &mut self,
        ask: Ask,
        each: &mut dyn FnMut(&[u8]) -> io::Result<bool>,
    ) -> Result<(), Trouble> {
        if let Link::Folder { handler, .. } = self.link()? {
            let handler = handler.clone();
            return match self.runtime.block_on(handler.reply(ask)) {
                Reply::Answers(answers) => self.end(answers).map(drop),
                Reply::Body(body) => {
                    self.release();
                    self.print(body, each)
                }
            };
        }
        self.send(&ask)?;
        loop {
            match self.receive()? {
                Answer::Octets(Octets(octets)) => {
                    if !each(&octets).map_err(Trouble::Output)? {
                        self.link = None;
                        return Ok(());
                    }
                }
                Answer::Done(_) => return Ok(()),
                Answer::Error(sentence) => return Err(sentence.into()),
                _ => return Err(unexpected().into()),
            }
        }
    }

    fn print(
        &self,
        mut body: Body,
        each: &mut dyn FnMut(&[u8]) -> io::Result<bool>,
    ) -> Result<(), Trouble> {
        loop {
            let octets = self.runtime.block_on(body.next()).map_err(|error| error.to_string())?;
            if octets.is_empty() || !each(&octets).map_err(Trouble::Output)? {
                return Ok(());
            }
        }
    }

    /// Asks, and gives all answers with the last. A connection that was open may be cut: then asks
    /// once more.
    fn ask(&mut self, ask: &Ask) -> Result<(Vec<Answer>, Done), Trouble> {
        let was_open = self.link.is_some();
        match self.ask_once(ask) {
            Err(Trouble::Cut(_)) if was_open => {
                self.link = None;
                self.ask_once(ask)
            }
            other => other,
        }
    }

    fn ask_once(&mut self, ask: &Ask) -> Result<(Vec<Answer>, Done), Trouble> {
        if let Link::Folder { handler, .. } = self.link()? {
            let handler = handler.clone();
            return match self.runtime.block_on(handler.reply(ask.clone())) {
                Reply::Answers(answers) => self.end(answers),
                Reply::Body(_) => Err(unexpected().into()),
            };
        }
        self.send(ask)?;
        let mut answers = Vec::new();
        loop {
            match self.receive()? {
                Answer::Done(done) => return Ok((answers, done)),
                Answer::Error(sentence) => return Err(sentence.into()),
                answer => answers.push(answer),
            }
        }
    }

    fn end(&self, mut answers: Vec<Answer>) -> Result<(Vec<Answer>, Done), Trouble> {
        match answers.pop() {
            Some(Answer::Done(done)) => Ok((answers, done)),
            Some(Answer::Error(sentence)) => Err(sentence.into()),
            _ => Err(unexpected().into()),
        }
    }

    fn send(&mut self, ask: &Ask) -> Result<(), Trouble> {
        let request = Request { version: VERSION, ask: ask.clone() };
        let mut line = serde_json::to_vec(&request).map_err(|error| error.to_string())?;
        line.push(b'\n');
        match self.link()? {
            Link::Server(stream) => match stream.get_mut().write_all(&line) {
                // It may have said why before it closed.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
                other => other.map_err(Trouble::Cut),
            },
            Link::Folder { .. } => Err(unexpected().into()),
        }
    }

    fn receive(&mut self) -> Result<Answer, Trouble> {
        let data = self.data.display().to_string();
        let Some(Link::Server(stream)) = &mut self.link else { return Err(unexpected().into()) };
        let mut line = String::new();
        match stream.read_line(&mut line) {
            Ok(0) => Err(Trouble::Cut(io::ErrorKind::UnexpectedEof.into())),
            Ok(_) => serde_json::from_str(&line)
                .map_err(|error| Trouble::Refused(format!("the server's answer: {error}"))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                Err(format!("the server that uses {data} does not answer").into())
            }
            Err(error) => Err(Trouble::Cut(error)),
        }
    }

    /// Gives the folder free, if no server runs: one could start.
    fn release(&mut self) {
        if let Some(Link::Folder { handler, _data }) = self.link.take_if(|link| link.is_folder()) {
            // What was done is on the disk.
            drop(self.runtime.block_on(handler.queue.close()));
        }
    }

    fn link(&mut self) -> Result<&mut Link, String> {
        let link = match self.link.take() {
            Some(link) => link,
            None => self.open()?,
        };
        Ok(self.link.insert(link))
    }

    fn open(&self) -> Result<Link, String> {
        let shown = self.data.display();
        if !self.data.join("queue").is_dir() {
            return Err(format!("there is no queue in the data folder {shown}"));
        }
        let since = Instant::now();
        loop {
            match socket::connect(&self.data) {
                Ok(stream) => {
                    let timeout = stream.set_read_timeout(Some(ANSWER));
                    let timeout = timeout.and_then(|()| stream.set_write_timeout(Some(ANSWER)));
                    timeout.map_err(|error| format!("cannot ask the server: {error}"))?;
                    return Ok(Link::Server(BufReader::new(stream)));
                }
                Err(error) => match error.kind() {
                    io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => {}
                    _ => {
                        let path = socket::path(&self.data);
                        return Err(format!(
                            "cannot ask the server at {}: {error}",
                            path.display()
                        ));
                    }
                },
            }
            if let Some(data) = DataDir::try_open(&self.data)? {
                let queue = SqliteQueue::open(data.queue(), self.options)
                    .map_err(|error| format!("cannot use the queue: {error}"))?;
                let handler = Handler { queue, dispatch: None };
                return Ok(Link::Folder { handler, _data: data });
            }
            if since.elapsed() >= self.patience {
                return Err(format!(
                    "a program is using the data folder {shown}, but does not answer at its \
                     socket: a server that is starting or stopping?"
                ));
            }
            sleep(LOOK);
        }
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        self.release();
    }
}

impl Link {
    fn is_folder(&self) -> bool {
        matches!(self, Self::Folder { .. })
    }
}

/// The same selection, with as many names at once as a request may have.
fn pages(filter: &Selection) -> Vec<Selection> {
    if filter.ids.is_empty() {
        return vec![filter.clone()];
    }
    let page = |ids: &[MessageId]| Selection { ids: ids.to_vec(), ..filter.clone() };
    filter.ids.chunks(NAMES).map(page).collect()
}

fn unexpected() -> String {
    "the server gave another answer than was asked for".into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    fn refusal(folder: &std::path::Path) -> String {
        let mut client = Client::new(folder.to_owned(), Options::default()).unwrap();
        client.patience = Duration::ZERO;
        match client.list(&Selection::default(), |_| Ok(())).unwrap_err() {
            Trouble::Refused(sentence) => sentence,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_folder_in_use_without_an_answer_is_a_plain_sentence() {
        let folder = tempfile::tempdir().unwrap();
        let refused = refusal(folder.path());
        assert!(refused.starts_with("there is no queue in the data folder "), "{refused}");
        assert!(fs::read_dir(folder.path()).unwrap().next().is_none(), "nothing is made");

        fs::create_dir(folder.path().join("queue")).unwrap();
        let data = DataDir::open(folder.path()).unwrap();
        let refused = refusal(folder.path());
        assert!(refused.contains("does not answer at its socket"), "{refused}");
        drop(data);

        // While it waits for the next page the folder is free for a server.
        let mut client = Client::new(folder.path().to_owned(), Options::default()).unwrap();
        client.list(&Selection::default(), |_| Ok(())).unwrap();
        DataDir::open(folder.path()).unwrap();
    }

    #[test]
    fn names_go_in_requests_that_are_not_too_long() {
        let ids = crate::message_id::MessageIds::new().unwrap();
        let ids: Vec<_> = (0..2 * NAMES + 1).map(|_| ids.next()).collect();
        let text = Some("\u{1b}".repeat(256));
        let filter =
            Selection { ids: ids.clone(), from: text.clone(), to: text, ..Selection::default() };
        let pages = pages(&filter);
        let named: Vec<_> = pages.iter().flat_map(|page| page.ids.clone()).collect();
        assert_eq!((pages.len(), named), (3, ids));
        for filter in pages {
            let ask = Ask::Change { change: Change::Release, filter, after: None };
            let line = serde_json::to_vec(&Request { version: VERSION, ask }).unwrap();
            assert!(line.len() < crate::control::protocol::REQUEST, "{}", line.len());
        }
    }
}
