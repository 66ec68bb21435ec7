//! Chats with a scripted provider.

#![allow(clippy::unwrap_used)]

mod folder;
mod scripted;

mod answers;
mod budget;
mod killing;
mod remembering;
mod running;
mod tools;
mod turns;
