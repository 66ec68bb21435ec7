//! What `/show`, `/model`, `/tools` and `/stats` tell.

use std::fmt::Write as _;

use anyhow::Context as _;
use chat::{Chat, Ending, Summary};
use engine::CandleCompletionParams;

use super::command::Topic;
use super::session::Session;
use super::view::short;
use super::{counted, keeping, say, setting, tell};

/// Shows what is asked for.
///
/// # Errors
///
/// A template that refuses the conversation; a server, which renders prompts itself.
pub(super) fn show(session: &Session<'_>, topic: Topic) -> anyhow::Result<()> {
    match topic {
        Topic::All => {
            say(&model(&session.chat));
            say(&system(&session.chat));
            tell(&setting::list(session.chat.role(), &session.display));
            tell(&tools(session));
            say(&keeping::state(&session.chat));
            statistics(&session.chat);
        }
        Topic::Prompt => tell(&prompt(session)?),
        Topic::Settings => tell(&setting::list(session.chat.role(), &session.display)),
        Topic::System => say(&system(&session.chat)),
        Topic::Reasoning => match session.chat.conversation().turns().last() {
            Some(turn) if !turn.reasoning.is_empty() => tell(turn.reasoning.trim()),
            _ => say("there is no reasoning in the last answer"),
        },
        Topic::Conversation => {
            for turn in session.chat.conversation().turns() {
                tell(&format!("> {}\n{}\n", turn.user, turn.answer));
            }
        }
    }
    Ok(())
}

/// What stands before the answer to the next message, as the model is given it.
fn prompt(session: &Session<'_>) -> anyhow::Result<String> {
    let local = session.model.local.as_ref();
    let local = local.context("a server renders prompts itself; /show conversation shows what it is sent")?;
    let role = session.chat.role();
    let params = CandleCompletionParams {
        tools: role.tools.definitions().cloned().collect(),
        ..role.params.clone()
    };
    let prompt = session.chat.prompt("(your next message)");
    Ok(local
        .dialect()
        .render_for(prompt.messages().unwrap_or_default(), &params)?)
}

/// The model in force.
pub(super) fn model(chat: &Chat) -> String {
    let role = chat.role();
    format!(
        "the model is {}, context {}",
        role.name,
        role.provider.context_length()
    )
}

/// The instructions in force.
pub(super) fn system(chat: &Chat) -> String {
    match &chat.role().system_prompt {
        Some(text) => format!("the instructions are: {text}"),
        None => "there are no instructions".to_owned(),
    }
}

/// The tools, a line each.
pub(super) fn tools(session: &Session<'_>) -> String {
    let mut text = String::new();
    for tool in session.chat.role().tools.definitions() {
        let asked = match session.confirmation.always(&tool.name) {
            true => "runs unasked",
            false => "asks before each call",
        };
        let about = short(tool.description.as_deref().unwrap_or_default(), 100);
        // Writing to a string does not fail.
        let _ = writeln!(text, "{:<20} {asked}; {about}", tool.name);
    }
    if text.is_empty() {
        text.push_str("there are no tools; --tools FILE or --mcp NAME=SERVER names some\n");
    }
    text
}

/// Counts of the conversation, and the speed of its last answer.
pub(super) fn statistics(chat: &Chat) {
    let turns = chat.conversation().turns();
    let context = chat.role().provider.context_length();
    say(&counted(turns.len()));
    match turns.last().map(|turn| &turn.ending) {
        Some(Ending::Finished(summary)) => say(&figures(summary, context)),
        Some(Ending::Interrupted) => say("the last answer was stopped"),
        Some(Ending::Earlier) => say("the last answer was given in an earlier chat"),
        None => {}
    }
}

/// What the last answer took.
fn figures(summary: &Summary, context: usize) -> String {
    let miss = summary
        .cache_miss
        .map(|miss| format!(" ({miss})"))
        .unwrap_or_default();
    let mut text = format!(
        "last answer: {} tokens after {} of prompt, {} of them kept from before{miss}, in a context of {context}; first \
         token after {:.0} ms",
        summary.usage.completion_tokens,
        summary.usage.prompt_tokens,
        summary.usage.cached_tokens,
        summary.timings.time_to_first_token.as_secs_f64() * 1e3,
    );
    for (name, rate) in [
        ("prefill", summary.timings.prefill_tok_s(&summary.usage)),
        ("decode", summary.timings.decode_tok_s(&summary.usage)),
    ] {
        if let Some(rate) = rate {
            text.push_str(&format!(", {name} {rate:.1} tok/s"));
        }
    }
    if summary.drafts.guessed > 0 {
        let (right, guessed) = (summary.drafts.accepted, summary.drafts.guessed);
        text.push_str(&format!("; {right} of {guessed} guessed tokens were right"));
    }
    text
}
