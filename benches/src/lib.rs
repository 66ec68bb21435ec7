//! What measurements have in common; the criterion benches themselves stand in `benches/`.
#![forbid(unsafe_code)]

pub mod limits;

pub use limits::Limits;
