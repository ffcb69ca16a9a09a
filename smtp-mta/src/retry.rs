//! When to try again, when to give up, and when to tell the sender that it takes long
//! (RFC 5321 §4.5.4.1).
//!
//! The configuration has it under `[queue.retry]`:
//!
//! ```toml
//! [queue.retry]
//! after = "1m 5m 15m 30m*"    # the waits; the one with a star repeats
//! expire = "5d"               # after which the sender is told that it failed
//! jitter = 10                 # percent by which a wait is longer or shorter
//! delay_notice = "4h"         # after which the sender is told that it is late; or "never"
//!
//! [[queue.retry.domain]]      # what is different for recipients of a domain
//! name = "slow.example"
//! after = "30m 2h*"
//! ```

#[cfg(test)]
use crate::config::reference;
use crate::{policy::DomainName, queue::Timestamp};
use serde::{Deserialize, Deserializer, de};
use std::{collections::BTreeMap, fmt, str::FromStr, time::Duration};

/// What to do about a recipient after an attempt that failed for now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// Try again, not before then.
    Retry(Timestamp),
    /// Give up.
    Expire,
}

/// When messages are tried again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Retry {
    /// The waits between attempts.
    pub after: Waits,
    /// How long after its arrival a message is given up.
    pub expire: Duration,
    /// By how many percent a wait is longer or shorter than it says, so that what failed together
    /// does not come back together; at most 50.
    pub jitter: u8,
    /// How long after its arrival the sender of a message is told that it is late; `None`: never.
    pub delay_notice: Option<Duration>,
}

impl Default for Retry {
    fn default() -> Self {
        Self {
            after: Waits::default(),
            expire: Duration::from_secs(5 * 24 * 60 * 60),
            jitter: 10,
            delay_notice: Some(Duration::from_secs(4 * 60 * 60)),
        }
    }
}

impl Retry {
    /// What follows the attempt number `attempts`, counted from 1, of a message that arrived at
    /// `received`; the attempt failed at `now`.
    ///
    /// The last attempt is made when the message expires, so that the time is used up; only an
    /// attempt that fails then or later, as after a long stop of the server, is the end. The same
    /// `seed` gives the same jitter.
    pub fn next(&self, attempts: u32, received: Timestamp, now: Timestamp, seed: u64) -> Next {
        let end = received + self.expire;
        match self.after.wait(attempts) {
            Some(wait) if now < end => Next::Retry((now + self.jittered(wait, seed)).min(end)),
            _ => Next::Expire,
        }
    }

    /// Whether a sender is told at `now` that a message which arrived at `received` is late.
    pub fn is_late(&self, received: Timestamp, now: Timestamp) -> bool {
        self.delay_notice.is_some_and(|after| now >= received + after)
    }

    fn jittered(&self, wait: Duration, seed: u64) -> Duration {
        let width = 2 * u64::from(self.jitter);
        // A thousandth of the width is fine enough.
        let percent = (100 - u64::from(self.jitter)) * 1000 + mixed(seed) % (width * 1000 + 1);
        wait.saturating_mul(u32::try_from(percent).unwrap_or(100_000)) / 100_000
    }
}

/// Spreads what differs in `seed` over all bits: the last step of SplitMix64.
fn mixed(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// The waits between attempts, as in `1m 5m 15m 30m*`. A star at the last one repeats it until the
/// message expires; without a star the attempt after the last wait is the last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Waits {
    waits: Vec<Duration>,
    repeats: bool,
}

impl Waits {
    /// The wait after the attempt number `attempts`, counted from 1, if there is another one.
    fn wait(&self, attempts: u32) -> Option<Duration> {
        let place = attempts.saturating_sub(1) as usize;
        let last = self.waits.last().filter(|_| self.repeats);
        self.waits.get(place).or(last).copied()
    }
}

impl Default for Waits {
    fn default() -> Self {
        let waits = [1, 5, 15, 30].map(|minutes| Duration::from_secs(60 * minutes)).into();
        Self { waits, repeats: true }
    }
}

/// What is wrong with [`Waits`], and where.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadWaits {
    /// There is none.
    #[error("at least one wait is needed, as in `1m 5m 15m 30m*`")]
    Empty,
    /// A word that is no wait.
    #[error("character {at}: `{word}` is not a time such as `30s`, `5m`, `2h` or `1d`")]
    NoTime {
        /// Where it begins: characters, counted from 1.
        at: usize,
        /// What it says.
        word: String,
    },
    /// A star before the end.
    #[error("character {at}: only the last wait can have a star")]
    Star {
        /// Where its wait begins: characters, counted from 1.
        at: usize,
    },
}

impl FromStr for Waits {
    type Err = BadWaits;

    fn from_str(text: &str) -> Result<Self, BadWaits> {
        let (mut waits, mut star) = (Vec::new(), None);
        for word in text.split_whitespace() {
            // A word is a part of the text, so that its address says where.
            let before = word.as_ptr().addr() - text.as_ptr().addr();
            let at = text[..before].chars().count() + 1;
            if let Some(at) = star {
                return Err(BadWaits::Star { at });
            }
            let time = word.strip_suffix('*');
            star = time.map(|_| at);
            let wait = parse_time(time.unwrap_or(word));
            waits.push(wait.ok_or_else(|| BadWaits::NoTime { at, word: word.into() })?);
        }
        if waits.is_empty() {
            Err(BadWaits::Empty)
        } else {
            Ok(Self { waits, repeats: star.is_some() })
        }
    }
}

impl fmt::Display for Waits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, wait) in self.waits.iter().enumerate() {
            let space = if place == 0 { "" } else { " " };
            let (number, unit) = match wait.as_secs() {
                s if s % 86_400 == 0 => (s / 86_400, 'd'),
                s if s % 3_600 == 0 => (s / 3_600, 'h'),
                s if s % 60 == 0 => (s / 60, 'm'),
                s => (s, 's'),
            };
            write!(f, "{space}{number}{unit}")?;
        }
        f.write_str(if self.repeats { "*" } else { "" })
    }
}

/// A time of at least a second and at most a year: `30s`, `5m`, `2h`, `1d`.
pub(crate) fn parse_time(text: &str) -> Option<Duration> {
    let unit = match text.as_bytes().last()? {
        b's' => 1,
        b'm' => 60,
        b'h' => 60 * 60,
        b'd' => 24 * 60 * 60,
        _ => return None,
    };
    let number = &text[..text.len() - 1];
    if !number.bytes().all(|octet| octet.is_ascii_digit()) {
        return None;
    }
    let seconds = number.parse::<u64>().ok()?.checked_mul(unit)?;
    (1..=366 * 24 * 60 * 60).contains(&seconds).then(|| Duration::from_secs(seconds))
}

/// When messages are tried again, by the domain of the recipient.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema), schemars(with = "Table"))]
#[serde(try_from = "Table")]
pub struct RetryPolicy {
    /// For all that have none of their own.
    pub all: Retry,
    /// For recipients of these domains.
    pub domains: BTreeMap<DomainName, Retry>,
}

impl RetryPolicy {
    /// What holds for recipients of `domain`.
    pub fn of(&self, domain: Option<&DomainName>) -> &Retry {
        domain.and_then(|domain| self.domains.get(domain)).unwrap_or(&self.all)
    }
}

/// When messages are tried again that a server would not take yet.
#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
struct Table {
    /// The waits between attempts; the last one, with a star, repeats.
    #[cfg_attr(test, schemars(with = "Option<reference::Waits>"))]
    after: Option<Waits>,
    /// After which time a message is given up, and the sender told.
    #[cfg_attr(test, schemars(with = "Option<reference::Time>"))]
    expire: Option<Time>,
    /// By how many percent a wait may be longer or shorter, at most 50.
    #[cfg_attr(test, schemars(with = "Option<u8>"))]
    jitter: Option<Jitter>,
    /// After which time the sender is told that a message is late.
    #[cfg_attr(test, schemars(with = "Option<reference::TimeOrNever>"))]
    delay_notice: Option<DelayNotice>,
    #[serde(default, rename = "domain")]
    domains: Vec<DomainTable>,
}

#[derive(Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
/// What is different for recipients of one domain.
#[serde(deny_unknown_fields)]
struct DomainTable {
    /// The recipients' domain.
    name: DomainName,
    /// As in `[queue.retry]`, from which comes what is not said here; so for the others.
    #[cfg_attr(test, schemars(with = "Option<reference::Waits>"))]
    after: Option<Waits>,
    /// When a message is given up.
    #[cfg_attr(test, schemars(with = "Option<reference::Time>"))]
    expire: Option<Time>,
    /// Percent.
    #[cfg_attr(test, schemars(with = "Option<u8>"))]
    jitter: Option<Jitter>,
    /// When the sender is told.
    #[cfg_attr(test, schemars(with = "Option<reference::TimeOrNever>"))]
    delay_notice: Option<DelayNotice>,
}

impl TryFrom<Table> for RetryPolicy {
    type Error = String;

    fn try_from(table: Table) -> Result<Self, String> {
        let Table { after, expire, jitter, delay_notice, domains: tables } = table;
        let all = Retry::default().but(after, expire, jitter, delay_notice);
        let mut domains = BTreeMap::new();
        for DomainTable { name, after, expire, jitter, delay_notice } in tables {
            let retry = all.clone().but(after, expire, jitter, delay_notice);
            if domains.contains_key(&name) {
                return Err(format!("`{name}` stands here twice"));
            }
            domains.insert(name, retry);
        }
        Ok(Self { all, domains })
    }
}

impl Retry {
    fn but(
        self,
        after: Option<Waits>,
        expire: Option<Time>,
        jitter: Option<Jitter>,
        delay_notice: Option<DelayNotice>,
    ) -> Self {
        Self {
            after: after.unwrap_or(self.after),
            expire: expire.map_or(self.expire, |time| time.0),
            jitter: jitter.map_or(self.jitter, |jitter| jitter.0),
            delay_notice: delay_notice.map_or(self.delay_notice, |notice| notice.0),
        }
    }
}

impl<'de> Deserialize<'de> for Waits {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

/// A time of the configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Time(pub(crate) Duration);

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        parse_time(&text).map(Self).ok_or_else(|| no_time(&text))
    }
}

struct DelayNotice(Option<Duration>);

impl<'de> Deserialize<'de> for DelayNotice {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let text = String::deserialize(from)?;
        if text == "never" {
            return Ok(Self(None));
        }
        parse_time(&text).map(|time| Self(Some(time))).ok_or_else(|| no_time(&text))
    }
}

fn no_time<E: de::Error>(text: &str) -> E {
    E::custom(format_args!("`{text}` is not a time such as `30s`, `5m`, `2h` or `1d`"))
}

struct Jitter(u8);

impl<'de> Deserialize<'de> for Jitter {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        match u8::deserialize(from)? {
            percent @ ..=50 => Ok(Self(percent)),
            percent => {
                Err(de::Error::custom(format_args!("{percent} is more than 50 percent of a wait")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const START: Timestamp = Timestamp::from_micros(1_800_000_000_000_000);

    fn minutes(minutes: u64) -> Duration {
        Duration::from_secs(60 * minutes)
    }

    fn exact() -> Retry {
        Retry { jitter: 0, ..Retry::default() }
    }

    /// All attempts of a message that always fails at once, as minutes after its arrival.
    fn attempts(retry: &Retry) -> Vec<u64> {
        let (mut now, mut made) = (START, vec![0]);
        loop {
            match retry.next(made.len() as u32, START, now, made.len() as u64) {
                Next::Retry(at) => {
                    assert!(at > now);
                    now = at;
                    made.push(at.since(START).as_secs() / 60);
                }
                Next::Expire => return made,
            }
        }
    }

    #[test]
    fn waits_grow_to_the_last_one_which_repeats_until_the_end() {
        let made = attempts(&exact());
        assert_eq!(made[..7], [0, 1, 6, 21, 51, 81, 111]);
        assert_eq!(made.last(), Some(&(5 * 24 * 60)));
        assert_eq!(made.len(), 5 + 238 + 1);
    }

    #[test]
    fn without_a_star_the_last_wait_is_followed_by_the_last_attempt() {
        let retry = Retry { after: "1m 10m".parse().unwrap(), ..exact() };
        assert_eq!(attempts(&retry), [0, 1, 11]);
    }

    #[test]
    fn the_last_attempt_is_made_when_the_message_expires() {
        let retry = Retry { expire: minutes(40), ..exact() };
        assert_eq!(attempts(&retry), [0, 1, 6, 21, 40]);
        assert_eq!(retry.next(9, START, START + minutes(39), 0), Next::Retry(START + minutes(40)));
        assert_eq!(retry.next(9, START, START + minutes(40), 0), Next::Expire);
        assert_eq!(retry.next(1, START, START + minutes(4000), 0), Next::Expire);
    }

    #[test]
    fn jitter_spreads_a_wait_over_its_width_and_is_the_same_again() {
        let retry = Retry::default();
        let wait = |seed| match retry.next(2, START, START, seed) {
            Next::Retry(at) => at.since(START).as_secs_f64() / 60.0,
            Next::Expire => unreachable!("it has just arrived"),
        };
        let waits: Vec<_> = (0..10_000).map(wait).collect();
        assert!(waits.iter().all(|wait| (4.5..=5.5).contains(wait)));
        for tenth in 0..10 {
            let low = 4.5 + 0.1 * f64::from(tenth);
            let count = waits.iter().filter(|wait| (low..low + 0.1).contains(wait)).count();
            assert!((850..1150).contains(&count), "{count} from {low}");
        }
        assert_eq!(wait(7), wait(7));
    }

    #[test]
    fn a_clock_that_was_set_back_delays_nothing_for_longer_than_a_wait() {
        let now = Timestamp::from_micros(0);
        assert_eq!(exact().next(1, START, now, 0), Next::Retry(now + minutes(1)));
    }

    #[test]
    fn a_message_is_late_from_the_delay_notice_on() {
        let retry = exact();
        assert!(!retry.is_late(START, START + minutes(239)));
        assert!(retry.is_late(START, START + minutes(240)));
        let never = Retry { delay_notice: None, ..exact() };
        assert!(!never.is_late(START, START + minutes(999_999)));
    }

    #[test]
    fn waits_are_read_as_they_are_written() {
        for text in ["1m 5m 15m 30m*", "1s", "90s 2h 1d*", "7d*"] {
            assert_eq!(text.parse::<Waits>().unwrap().to_string(), text);
        }
        assert_eq!("1m 5m 15m 30m*".parse(), Ok(Waits::default()));
        assert_eq!("  60s\t 300s 15m 30m* ".parse(), Ok(Waits::default()));
    }

    #[test]
    fn wrong_waits_are_named_with_their_place() {
        let wrong = |text: &str| text.parse::<Waits>().unwrap_err().to_string();
        assert!(wrong(" ").starts_with("at least one wait"));
        let says = wrong("1m 5x");
        assert!(says.starts_with("character 4: `5x` is not a time"), "{says}");
        assert!(wrong("ä 1m").starts_with("character 1: `ä` "));
        assert!(wrong("1m  ü").starts_with("character 5: `ü` "));
        assert_eq!(wrong("1m 5m* 15m"), "character 4: only the last wait can have a star");
        for text in [
            "0m",
            "m",
            "-1m",
            "+1m",
            "1.5h",
            "1m**",
            "*",
            "1 m",
            "367d",
            "1M",
            "99999999999999999999d",
        ] {
            assert!(text.parse::<Waits>().is_err(), "{text}");
        }
    }

    #[test]
    fn a_domain_differs_only_in_what_it_says() {
        let policy: RetryPolicy = toml::from_str(
            "expire = '2d'\njitter = 0\n[[domain]]\nname = 'Slow.Example'\nafter = '1h*'\n\
             [[domain]]\nname = 'late.example'\ndelay_notice = 'never'",
        )
        .unwrap();
        let of = |name: &str| policy.of(DomainName::new(name).as_ref());
        let all = Retry { expire: minutes(2 * 24 * 60), ..exact() };
        assert_eq!(*of("other.example"), all);
        assert_eq!(*policy.of(None), all);
        assert_eq!(*of("slow.example"), Retry { after: "1h*".parse().unwrap(), ..all.clone() });
        assert_eq!(*of("late.example"), Retry { delay_notice: None, ..all });
        assert_eq!(toml::from_str(""), Ok(RetryPolicy::default()));
    }

    #[test]
    fn wrong_keys_are_errors() {
        for (text, says) in [
            ("after = '1m x'", "character 4: `x` is not a time"),
            ("expire = '5 days'", "`5 days` is not a time"),
            ("delay_notice = 'no'", "`no` is not a time"),
            ("jitter = 51", "51 is more than 50 percent"),
            ("again = '1m'", "unknown field `again`"),
            ("[[domain]]\nafter = '1m'", "missing field `name`"),
            (
                "[[domain]]\nname = 'a.test'\n[[domain]]\nname = 'A.test'",
                "`a.test` stands here twice",
            ),
        ] {
            let error = toml::from_str::<RetryPolicy>(text).unwrap_err();
            assert!(error.message().starts_with(says), "{error}");
        }
    }
}
