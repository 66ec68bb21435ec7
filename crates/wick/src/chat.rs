//! `wick chat`: a conversation, line by line.
//!
//! Standard output carries the answers and nothing else in a pipe; whatever the program itself has to say goes to
//! standard error. At a terminal lines are edited, answers are shown as they are meant, and Ctrl-C stops an answer; in a
//! pipe every line is a message, the first one without an answer ends the program, and a command that cannot be obeyed makes
//! its status 1 at the end.

mod command;
mod draft;
mod lines;
#[cfg(unix)]
mod suspension;
mod completion;
mod setting;
mod style;
mod flow;
mod markdown;
mod view;
mod group;
mod tool;
mod confirmation;
mod place;
mod session;
mod keeping;
mod showing;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use chat::mcp::Server;
use chat::memory::{Archive, Memory};
use chat::{AgentRole, AskApproval, Toolbox};

use crate::arguments::{ChatArguments, ConversationArguments, ToolServer};
use crate::failure::Usage;
use crate::interrupt::{self, Outcome};
use crate::loading::{self, Model};
use crate::{failure, output, settings};
use group::Groups;
use lines::Lines;
use session::Session;
use view::Screen;

/// Time that a call has beyond its tool's own, which is told more exactly.
const GRACE: Duration = Duration::from_secs(2);

/// Time that a server of tools has to tell them.
const CONNECTING: Duration = Duration::from_secs(30);

/// Holds the conversation that `arguments` asks for.
///
/// # Errors
///
/// Where the model cannot be loaded or has no usable chat template; tools or a memory that cannot be used; in a pipe, also
/// where a message gets no answer.
pub(crate) fn chat(arguments: &ChatArguments) -> anyhow::Result<ExitCode> {
    let params = arguments.generation.params()?;
    let servers = arguments.conversation.servers()?;
    let groups = Groups::default();
    let (mut tools, longest) = match &arguments.conversation.tools {
        Some(file) => tool::read(file, &groups)?,
        None => (Toolbox::new(), Duration::ZERO),
    };
    if !tools.is_empty() || !servers.is_empty() {
        group::end_on_signals(&groups).context("cannot listen for signals")?;
    }
    let runtime = interrupt::runtime()?;
    let code = (|| {
        let lines = Lines::of_standard_input()?;
        let memory = memory(&arguments.conversation, lines.interactive())?;
        if runtime.block_on(connect(&servers, &mut tools, &groups))? {
            return Ok(failure::INTERRUPTED);
        }
        for name in &arguments.conversation.allow {
            let known = tools.definitions().any(|tool| tool.name == *name);
            if !known {
                let fault = format!("--allow names {name:?}, which is no tool of --tools or --mcp");
                return Err(Usage(fault).into());
            }
        }
        let Outcome::Done(model) = runtime.block_on(loading::load(&arguments.model))? else {
            return Ok(failure::INTERRUPTED);
        };
        usable(&model, !tools.is_empty())?;
        let (approval, questions) = AskApproval::new();
        let name = model.provider.name().to_owned();
        let mut role = AgentRole::new(name, Arc::clone(&model.provider)).with_params(params);
        role.system_prompt = arguments.system.clone();
        role.limits.call_time = role.limits.call_time.max(longest) + GRACE;
        role = role.with_tools(tools, approval);
        role.memory = memory.map(keeping::policy);
        let screen = Screen::of_standard_output(arguments.conversation.colour);
        Session::new(role, model, lines, questions, screen, arguments, &runtime).hold()
    })();
    groups.end();
    runtime.shutdown_background();
    match code {
        // Messages that nobody reads the answers of any more are not a chat that has ended.
        Err(error) if failure::is_output_closed(&error) => Err(anyhow::anyhow!(
            "cannot write to standard output: its reader has gone"
        )),
        code => code.map(ExitCode::from),
    }
}

/// Adds the tools of these servers; whether Ctrl-C came first.
///
/// # Errors
///
/// A server that does not answer, or whose tools cannot be used.
async fn connect(servers: &[ToolServer], tools: &mut Toolbox, groups: &Groups) -> anyhow::Result<bool> {
    for ToolServer { name, endpoint } in servers {
        let watch = Arc::new(groups.clone());
        let connecting = Server::connect_watched(name, endpoint.clone(), CONNECTING, watch);
        match interrupt::or_interrupt(connecting).await? {
            Outcome::Interrupted => return Ok(true),
            Outcome::Done(server) => server?.add_to(tools)?,
        }
    }
    Ok(false)
}

/// Checks that a model can hold a conversation, with tools if there are some.
///
/// # Errors
///
/// A model without a chat template, or one that is no good with tools.
fn usable(model: &Model, tools: bool) -> anyhow::Result<()> {
    // A server says for itself what it cannot do.
    if let Some(local) = &model.local {
        local.template()?;
    }
    anyhow::ensure!(
        !tools || model.provider.capabilities().tools,
        "{} takes no tools; leave --tools and --mcp out",
        model.provider.name()
    );
    Ok(())
}

/// The store that the arguments ask for.
///
/// # Errors
///
/// A store that cannot be opened; the way around it is told with it.
fn memory(arguments: &ConversationArguments, interactive: bool) -> anyhow::Result<Option<Arc<dyn Memory>>> {
    let file = match &arguments.memory {
        _ if arguments.no_memory => None,
        Some(file) => Some(file.clone()),
        None if interactive => settings::memory(),
        None => None,
    };
    let Some(file) = file else { return Ok(None) };
    place::make_folder(&file).with_context(|| format!("cannot make the folder of {}", file.display()))?;
    let archive = Archive::open(file).context("--no-memory chats without it")?;
    Ok(Some(Arc::new(archive)))
}

/// So many turns, in words.
fn counted(turns: usize) -> String {
    format!("{turns} {}", if turns == 1 { "turn" } else { "turns" })
}

/// Tells the person something, on one line of its own.
fn say(text: &str) {
    failure::complain(&format!("wick: {}\n", failure::one_line(text)));
}

/// Tells the person something of several lines, which may be a model's.
fn tell(text: &str) {
    let text = output::harmless(text);
    let end = if text.is_empty() || text.ends_with('\n') {
        ""
    } else {
        "\n"
    };
    failure::complain(&format!("{text}{end}"));
}
