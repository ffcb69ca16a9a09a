//! The server beside its model.

use crate::{
    server_machine::{Server, refusal, text},
    server_model::{Answer, Model},
    server_script::{Action, fitting, script},
};
use proptest::{prelude::*, sample::Index, test_runner::TestCaseResult};
use smtp_proto::{Instant, wire::Refused};

/// The machine and the model, to which the same happens.
struct Pair {
    server: Server,
    model: Model,
    /// What has happened, for people.
    dialogue: Vec<String>,
    replies: usize,
    told: usize,
}

impl Pair {
    /// Nothing that can be seen differs.
    fn compare(&mut self) -> TestCaseResult {
        let Self { server, model, .. } = self;
        for told in &server.told[self.told..] {
            self.dialogue.push(format!("   {told}"));
        }
        for reply in &server.replies[self.replies..] {
            self.dialogue.push(format!("S: {reply}"));
        }
        (self.replies, self.told) = (server.replies.len(), server.told.len());
        let so_far = || self.dialogue.join("\n");
        let deadline = server.machine.poll_timeout().map(|at| at.as_micros() / 1_000_000);
        prop_assert_eq!(&server.replies, &model.replies, "replies; {}", so_far());
        prop_assert_eq!(&server.told, &model.told, "questions and facts; {}", so_far());
        prop_assert_eq!(server.open(), model.open(), "open questions; {}", so_far());
        prop_assert_eq!(server.facts(), model.facts(), "the session; {}", so_far());
        prop_assert_eq!(deadline, model.deadline(), "the deadline; {}", so_far());
        prop_assert!(server.body == model.body, "the body; {}", so_far());
        Ok(())
    }

    /// The same happens to both. The machine is first, so that the model can be told how long its
    /// replies are.
    fn both(
        &mut self,
        what: String,
        to_server: impl FnOnce(&mut Server),
        to_model: impl FnOnce(&mut Model),
    ) -> TestCaseResult {
        self.dialogue.push(what);
        to_server(&mut self.server);
        self.server.advance();
        self.model.lengths.clone_from(&self.server.lengths);
        to_model(&mut self.model);
        self.compare()
    }

    fn says(&mut self, text: &str, cuts: &[Index]) -> TestCaseResult {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(text.len())).collect();
        ends.push(text.len());
        ends.sort_unstable();
        let mut from = 0;
        for to in ends {
            let piece = &text.as_bytes()[from..to];
            let what = format!("C: {}", shown(&String::from_utf8_lossy(piece)));
            self.both(
                what,
                |server| server.input.extend_from_slice(piece),
                |model| model.receive(piece),
            )?;
            from = to;
        }
        Ok(())
    }

    fn pass(&mut self, seconds: u64) -> TestCaseResult {
        self.both(
            format!("   {seconds} s pass"),
            |server| {
                server.now += seconds;
                server.machine.handle_timeout(Instant::from_secs(server.now));
            },
            |model| model.pass(seconds),
        )
    }

    /// All clients but the slow ones read what there is.
    fn make_room(&mut self, room: Option<usize>) -> TestCaseResult {
        if !self.server.setup.slow {
            return Ok(());
        }
        self.both(
            format!("   room for {room:?}"),
            |server| server.room = room,
            |model| model.make_room(room),
        )
    }

    fn happens(&mut self, action: &Action) -> TestCaseResult {
        match action {
            Action::Say(text, cuts) => self.says(text, cuts),
            Action::GoOn(which, cuts) => {
                let texts = fitting(self.model.place());
                self.says(texts[which.index(texts.len())], cuts)
            }
            Action::Decide(which, it) => {
                let open = self.server.open();
                if open.is_empty() {
                    return Ok(());
                }
                let number = open[which.index(open.len())];
                let question = self.server.questions[number - 1].take().unwrap();
                self.both(
                    format!("   {number}: {it:?}"),
                    |server| server.decide(question, *it).unwrap(),
                    |model| assert!(model.decide(number, *it)),
                )
            }
            Action::Pass(seconds) => self.pass(*seconds),
            Action::PassToDeadline(reaches) => {
                let now = self.server.now;
                let seconds = self.model.deadline().map_or(0, |at| at.saturating_sub(now));
                self.pass(seconds.saturating_sub(u64::from(!reaches)))
            }
            Action::MakeRoom(room) => self.make_room(*room),
            Action::ReadToMark(reaches) => {
                let unread = self.server.machine.poll_transmit().map_or(0, <[u8]>::len);
                let more = unread.saturating_sub(self.server.setup.send_buffer);
                self.make_room(Some(more.saturating_sub(usize::from(!reaches))))
            }
            Action::Discard => {
                let text = text(self.server.setup.slow);
                let refused = refusal(Answer::Never, &text);
                let (mut by_server, mut by_model) = (false, false);
                self.both(
                    "   discard".into(),
                    |server| by_server = server.machine.discard_body(&refused),
                    |model| by_model = model.discard("550 5.7.9"),
                )?;
                prop_assert_eq!(by_server, by_model, "{}", self.dialogue.join("\n"));
                Ok(())
            }
            Action::ShutDown => self.both(
                "   shutdown".into(),
                |server| server.machine.shutdown(&Refused::SHUTTING_DOWN),
                Model::shut_down,
            ),
            Action::Finish => {
                self.both("C: (end)".into(), |server| server.machine.handle_eof(), Model::finish)
            }
        }
    }
}

/// Octets for people; of many only the first.
fn shown(text: &str) -> String {
    let start: String = text.chars().take(150).collect();
    let more = if start.len() < text.len() { format!("... ({})", text.len()) } else { "".into() };
    format!("{}{more}", start.escape_debug())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 3_000, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_server_does_what_its_model_does_whatever_happens((setup, actions) in script()) {
        let (server, model) = (Server::new(setup.clone()), Model::new(setup));
        let mut pair = Pair { server, model, dialogue: vec![], replies: 0, told: 0 };
        // The greeting is asked about before anything comes.
        pair.says("", &[])?;
        for action in &actions {
            pair.happens(action)?;
        }
    }
}
