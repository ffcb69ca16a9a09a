//! Pure functions, ours and others', side by side.

mod body;
mod line;
mod session;

/// A piece of work that can be repeated.
pub type Work = Box<dyn FnMut()>;

/// Something that is measured.
#[derive(Debug)]
pub struct Case {
    /// What is done.
    pub task: &'static str,
    /// Whose code does it.
    pub subject: &'static str,
    /// Octets that one run works on, where it is their number that counts.
    pub octets: Option<usize>,
    /// Makes it ready to be run.
    pub prepare: fn() -> Work,
}

/// All of them; those with the same task follow each other.
pub fn all() -> impl Iterator<Item = &'static Case> {
    [line::CASES, session::CASES, body::CASES].into_iter().flatten()
}

/// Does `work`. Instructions are counted inside of this function and nowhere else: what stands
/// around it makes the next run possible.
#[inline(never)]
fn counted<T>(work: impl FnOnce() -> T) -> T {
    work()
}
