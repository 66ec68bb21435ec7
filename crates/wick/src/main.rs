//! Runs language models on this machine from the command line.
//!
//! The program is thin: it reads arguments, draws what the libraries stream, and turns every failure into one
//! line on standard error and an exit status. Nothing else in the workspace writes to the terminal.
#![forbid(unsafe_code)]

mod arguments;
mod settings;
mod age;
mod bench;
mod chat;
mod completions;
mod config;
mod confirmation;
mod eval;
mod export;
mod failure;
mod input;
mod inspect;
mod interrupt;
mod loading;
mod manual;
mod memory;
mod output;
mod pulling;
mod run;
mod schema;
mod serve;
mod source;
mod threads;
mod tokenize;

use std::process::ExitCode;

use arguments::{Command, ConfigRequest, Evaluation, Invocation, Program};
use threads::Bounded;

fn main() -> ExitCode {
    let program = match arguments::read(std::env::args_os()) {
        Invocation::Program(program) => program,
        Invocation::Answered(code) => return code,
    };
    work(*program).unwrap_or_else(|error| failure::report(&error))
}

/// Does what is asked for, with what the configuration says of it.
fn work(program: Program) -> anyhow::Result<ExitCode> {
    let Program {
        configuration,
        command,
    } = program;
    match command {
        Command::Run(mut arguments) => {
            arguments.settle(&mut configuration.read()?)?;
            match arguments.threads.bound()? {
                Bounded::Here => run::run(&arguments),
                Bounded::Elsewhere(code) => Ok(code),
            }
        }
        Command::Chat(mut arguments) => {
            arguments.settle(&mut configuration.read()?)?;
            match arguments.threads.bound()? {
                Bounded::Here => chat::chat(&arguments),
                Bounded::Elsewhere(code) => Ok(code),
            }
        }
        Command::Serve(mut arguments) => {
            arguments.settle(&mut configuration.read()?)?;
            match arguments.threads.bound()? {
                Bounded::Here => serve::serve(&arguments),
                Bounded::Elsewhere(code) => Ok(code),
            }
        }
        Command::Inspect(mut arguments) => {
            arguments.offline.settle(&mut configuration.read()?)?;
            inspect::inspect(&arguments)
        }
        Command::Tokenize(mut arguments) => {
            arguments.offline.settle(&mut configuration.read()?)?;
            tokenize::tokenize(&arguments)
        }
        Command::Eval(Evaluation::Logits(mut arguments)) => {
            arguments.model.settle_offline(&mut configuration.read()?)?;
            eval::logits(&arguments)
        }
        Command::Eval(Evaluation::Perplexity(mut arguments)) => {
            arguments.model.settle_offline(&mut configuration.read()?)?;
            eval::perplexity(&arguments)
        }
        Command::Bench(mut arguments) => {
            arguments.model.settle_offline(&mut configuration.read()?)?;
            bench::bench(&arguments)
        }
        Command::Pull(mut arguments) => {
            arguments.offline.settle(&mut configuration.read()?)?;
            pulling::pull(&arguments)
        }
        Command::List(arguments) => {
            configuration.read()?;
            pulling::list(&arguments)
        }
        Command::Rm(arguments) => {
            configuration.read()?;
            pulling::remove(&arguments)
        }
        Command::Memory(mut arguments) => {
            arguments.file.settle(&mut configuration.read()?)?;
            memory::memory(&arguments)
        }
        Command::Config(ConfigRequest::Show(arguments)) => config::show(*arguments, configuration.read()?),
        Command::Config(ConfigRequest::Path) => {
            configuration.no_profile()?;
            config::path(&configuration)
        }
        Command::Completions(arguments) => {
            configuration.unused()?;
            completions::completions(&arguments)
        }
        Command::Man(arguments) => {
            configuration.unused()?;
            manual::manual(&arguments)
        }
    }
}
