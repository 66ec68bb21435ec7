//! Runs language models on this machine from the command line.
//!
//! The program is thin: it reads arguments, draws what the libraries stream, and turns every failure into one
//! line on standard error and an exit status. Nothing else in the workspace writes to the terminal.
#![forbid(unsafe_code)]

mod arguments;
mod bench;
mod chat;
mod eval;
mod failure;
mod inspect;
mod interrupt;
mod loading;
mod output;
mod pulling;
mod run;
mod serve;
mod source;
mod tokenize;

use std::process::ExitCode;

use arguments::{Command, Evaluation, Invocation};

fn main() -> ExitCode {
    let command = match arguments::read(std::env::args_os()) {
        Invocation::Command(command) => command,
        Invocation::Answered(code) => return code,
    };
    let result = match *command {
        Command::Run(arguments) => run::run(&arguments),
        Command::Chat(arguments) => chat::chat(&arguments),
        Command::Serve(arguments) => serve::serve(&arguments),
        Command::Inspect(arguments) => inspect::inspect(&arguments),
        Command::Tokenize(arguments) => tokenize::tokenize(&arguments),
        Command::Eval(Evaluation::Logits(arguments)) => eval::logits(&arguments),
        Command::Eval(Evaluation::Perplexity(arguments)) => eval::perplexity(&arguments),
        Command::Bench(arguments) => bench::bench(&arguments),
        Command::Pull(arguments) => pulling::pull(&arguments),
        Command::List(arguments) => pulling::list(&arguments),
        Command::Rm(arguments) => pulling::remove(&arguments),
    };
    result.unwrap_or_else(|error| failure::report(&error))
}
