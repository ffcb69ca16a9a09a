//! The embedder's clock, as a number.

use core::time::Duration;

/// A moment on the embedder's clock, in microseconds since an origin of its choice.
///
/// The machine never reads a clock: each call that needs the time takes it as an argument, and it
/// only ever adds to it and compares. A clock that goes backwards is harmless: deadlines saturate.
///
/// ```
/// use smtp_proto::Instant;
///
/// let origin = std::time::Instant::now(); // any monotonic clock, once
/// let now = || Instant::ZERO + origin.elapsed();
/// let deadline = now() + std::time::Duration::from_secs(300);
/// assert!(deadline.saturating_since(now()).as_secs() <= 300);
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Instant(u64);

impl Instant {
    /// The origin of the clock.
    pub const ZERO: Self = Self(0);

    /// `micros` microseconds after the origin.
    pub const fn from_micros(micros: u64) -> Self {
        Self(micros)
    }

    /// `millis` milliseconds after the origin; saturates at the end of the clock.
    pub const fn from_millis(millis: u64) -> Self {
        Self(millis.saturating_mul(1_000))
    }

    /// `secs` seconds after the origin; saturates at the end of the clock.
    pub const fn from_secs(secs: u64) -> Self {
        Self(secs.saturating_mul(1_000_000))
    }

    /// Microseconds since the origin.
    pub const fn as_micros(self) -> u64 {
        self.0
    }

    /// How long after `earlier` this moment is; zero if it is not after it.
    pub const fn saturating_since(self, earlier: Self) -> Duration {
        Duration::from_micros(self.0.saturating_sub(earlier.0))
    }

    /// This moment and `by` more; saturates at the end of the clock.
    pub const fn saturating_add(self, by: Duration) -> Self {
        let micros = by.as_micros();
        let micros = if micros > u64::MAX as u128 { u64::MAX } else { micros as u64 };
        Self(self.0.saturating_add(micros))
    }
}

impl core::ops::Add<Duration> for Instant {
    type Output = Self;

    fn add(self, by: Duration) -> Self {
        self.saturating_add(by)
    }
}
