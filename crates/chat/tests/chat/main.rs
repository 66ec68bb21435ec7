//! Chats with a scripted provider.

#![allow(clippy::unwrap_used)]

mod scripted;

mod answers;
mod tools;
mod turns;
