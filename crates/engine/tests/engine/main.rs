//! The engine against scripted backends: ends, counts, admission, breaker.

#![allow(clippy::unwrap_used)]

mod scripted;
mod tools;

mod admission;
mod breaker;
mod counts;
mod deadlines;
mod ends;
mod meters;
mod parsing;
mod states;
