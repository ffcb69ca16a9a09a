//! A value that must not reach a log.

use core::fmt;

/// A secret: its `Debug` form says only that there is one.
///
/// ```
/// use smtp_proto::Secret;
///
/// assert_eq!(format!("{:?}", Secret::new("password")), "Secret(…)");
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Secret<T>(T);

impl<T> Secret<T> {
    /// Wraps `value`.
    pub const fn new(value: T) -> Self {
        Self(value)
    }

    /// The secret itself. Never format it.
    pub const fn expose(&self) -> &T {
        &self.0
    }

    /// The secret itself, by value. Never format it.
    pub fn into_inner(self) -> T {
        self.0
    }
}

impl<T> fmt::Debug for Secret<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}
