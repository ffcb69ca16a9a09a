//! Readers that are too simple to be wrong, and share no code with those of `smtp-proto`: they copy,
//! search again and again, and say what the grammar says, in its order.

pub(crate) mod address;
pub(crate) mod base64;
pub(crate) mod ip;
pub(crate) mod xtext;
