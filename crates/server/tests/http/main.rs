//! The server over real connections: the demo model where its answers matter, scripted providers where time does.
#![allow(clippy::expect_used, reason = "a test that cannot be set up has failed")]

mod client;
mod scripted;
mod served;

mod calling;
mod chats;
mod completing;
mod describing;
mod ending;
mod hostile;
mod keeping;
mod letting_in;
mod messaging;
mod proxying;
mod refusing;
mod tokens;
