//! The schedule in virtual time: weeks of retries in a millisecond.

mod model;
mod table;
mod world;
