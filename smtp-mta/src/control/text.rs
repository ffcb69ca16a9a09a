//! Messages as a person reads them.

use super::{
    printable::Printable,
    protocol::{Attempt, Message, Recipient, Totals},
};
use crate::queue::{State, Timestamp};
use std::{fmt, time::Duration};

/// Above a list.
pub(super) const HEAD: &str = "ID                          AGE        SIZE  FROM, TO\n";

/// A message in a list: a line for it, and one or two for each recipient that is not finished.
pub(super) struct Row<'m>(pub(super) &'m Message, pub(super) Timestamp);

impl fmt::Display for Row<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(message, now) = self;
        let age = Span(now.since(message.received)).to_string();
        let size = Size(message.size).to_string();
        writeln!(f, "{:<23} {age:>7}  {size:>10}  {}", message.id, Sender(message))?;
        let mut unfinished = message.recipients.iter().filter(|it| !it.state.is_final()).peekable();
        while let Some(recipient) = unfinished.next() {
            let progress = Progress(recipient, *now).to_string();
            writeln!(f, "    {progress:<40} {}", Address(&recipient.to))?;
            // Those for whom the same happened share the line.
            let is_same = |next: &&Recipient| reason(next) == reason(recipient);
            if let Some((host, reply)) = reason(recipient)
                && !unfinished.peek().is_some_and(is_same)
            {
                writeln!(f, "        {}: {}", Printable(host), Printable(reply))?;
            }
        }
        Ok(())
    }
}

fn reason(recipient: &Recipient) -> Option<(&str, &str)> {
    recipient.last.as_ref().map(|last| (last.host.as_str(), last.reply.as_str()))
}

/// A message with all that is known of it.
pub(super) struct Whole<'m>(pub(super) &'m Message, pub(super) Timestamp);

impl fmt::Display for Whole<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(message, now) = self;
        writeln!(f, "id         {}", message.id)?;
        writeln!(f, "from       {}", Sender(message))?;
        let age = Span(now.since(message.received));
        writeln!(f, "received   {}, {age} ago", message.received)?;
        match message.size {
            size @ ..1024 => writeln!(f, "size       {size} octets")?,
            size => writeln!(f, "size       {} ({size} octets)", Size(size))?,
        }
        let utf8 = if message.smtputf8 { ", SMTPUTF8" } else { "" };
        writeln!(f, "body       {}{utf8}", message.body)?;
        if let Some(ret) = &message.ret {
            writeln!(f, "return     {}", Printable(ret))?;
        }
        if let Some(envid) = &message.envid {
            writeln!(f, "envid      {}", Printable(envid))?;
        }
        for recipient in &message.recipients {
            writeln!(f, "\nto         {}", Address(&recipient.to))?;
            writeln!(f, "state      {}", Progress(recipient, *now))?;
            if let Some(next) = recipient.next {
                writeln!(f, "next       {next}")?;
            }
            if let Some(notify) = &recipient.notify {
                writeln!(f, "notify     {}", Printable(notify))?;
            }
            if let Some(orcpt) = &recipient.orcpt {
                writeln!(f, "orcpt      {}", Printable(orcpt))?;
            }
            if recipient.delay_told {
                writeln!(f, "delay      the sender was told")?;
            }
            if let Some(Attempt { at, host, reply, dialogue }) = &recipient.last {
                writeln!(f, "tried      {at}, {} ago", Span(now.since(*at)))?;
                writeln!(f, "host       {}", Printable(host))?;
                writeln!(f, "reply      {}", Printable(reply))?;
                for line in dialogue.iter().flat_map(|dialogue| dialogue.lines()) {
                    writeln!(f, "           {}", Printable(line))?;
                }
            }
        }
        Ok(())
    }
}

/// How much there is, on one line.
pub(super) struct Sum<'t>(pub(super) &'t Totals, pub(super) Timestamp);

impl fmt::Display for Sum<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(Totals { messages, size, waiting, held, oldest }, now) = self;
        write!(f, "{}, {}: ", Count(*messages, "message"), Size(*size))?;
        write!(f, "{} waiting, {held} held", Count(*waiting, "recipient"))?;
        if let Some(oldest) = oldest {
            write!(f, ", the oldest for {}", Span(now.since(*oldest)))?;
        }
        Ok(())
    }
}

/// A number of things.
pub(super) struct Count(pub(super) u64, pub(super) &'static str);

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.0 == 1 { "" } else { "s" };
        write!(f, "{} {}{plural}", self.0, self.1)
    }
}

struct Sender<'m>(&'m Message);

impl fmt::Display for Sender<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Address(&self.0.from).fmt(f)?;
        match &self.0.login {
            Some(login) => write!(f, " (login {})", Printable(login)),
            None => Ok(()),
        }
    }
}

struct Address<'a>(&'a str);

impl fmt::Display for Address<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() { f.write_str("<>") } else { Printable(self.0).fmt(f) }
    }
}

/// How far a recipient is.
struct Progress<'r>(&'r Recipient, Timestamp);

impl fmt::Display for Progress<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(recipient, now) = self;
        recipient.state.fmt(f)?;
        if recipient.attempts > 0 {
            write!(f, ", {}", Count(recipient.attempts.into(), "attempt"))?;
        }
        match recipient.next.filter(|_| recipient.state == State::Waiting) {
            Some(next) if next > *now => write!(f, ", next in {}", Span(next.since(*now))),
            Some(_) => write!(f, ", due"),
            None => Ok(()),
        }
    }
}

/// A time with its two largest units: `5d3h`, `3h12m`, `12m5s`, `34s`.
struct Span(Duration);

impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [(u64, char); 4] = [(86_400, 'd'), (3_600, 'h'), (60, 'm'), (1, 's')];
        let seconds = self.0.as_secs();
        let Some(at) = UNITS.iter().position(|(unit, _)| seconds >= *unit) else {
            return f.write_str("0s");
        };
        let (unit, letter) = UNITS[at];
        write!(f, "{}{letter}", seconds / unit)?;
        match UNITS.get(at + 1) {
            Some((smaller, letter)) if seconds % unit >= *smaller => {
                write!(f, "{}{letter}", seconds % unit / smaller)
            }
            _ => Ok(()),
        }
    }
}

/// Octets: `813 B`, `12.3 KiB`.
struct Size(u64);

impl fmt::Display for Size {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
        if self.0 < 1024 {
            return write!(f, "{} B", self.0);
        }
        let (mut size, mut unit) = (self.0 as f64 / 1024.0, 0);
        // What would be shown as 1024.0 is 1.0 of the next.
        while size >= 1023.95 && unit + 1 < UNITS.len() {
            size /= 1024.0;
            unit += 1;
        }
        write!(f, "{size:.1} {}", UNITS[unit])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_have_two_units_and_sizes_one() {
        for (seconds, shown) in [
            (0, "0s"),
            (34, "34s"),
            (60, "1m"),
            (725, "12m5s"),
            (11_520, "3h12m"),
            (3_605, "1h"),
            (443_000, "5d3h"),
        ] {
            assert_eq!(Span(Duration::from_secs(seconds)).to_string(), shown);
        }
        for (octets, shown) in [
            (0, "0 B"),
            (1023, "1023 B"),
            (1024, "1.0 KiB"),
            (12_600, "12.3 KiB"),
            ((1 << 20) - 1, "1.0 MiB"),
            (u64::MAX, "16384.0 PiB"),
        ] {
            assert_eq!(Size(octets).to_string(), shown);
        }
    }
}
