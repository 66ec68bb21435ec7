//! What a line of a chat means: a message or a command with its arguments, checked.

use std::fmt::Write as _;

use super::style::Style;

/// One entry, understood.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Entry<'a> {
    /// An empty line.
    Nothing,
    Message(&'a str),
    Command(Command<'a>),
    /// Something that cannot be obeyed, and why.
    Wrong(String),
}

/// What a person asks the chat itself to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Command<'a> {
    Help(Option<&'static Description>),
    /// Shows the model, or loads another.
    Model(Option<&'a str>),
    /// Shows the instructions or gives others; `off` gives none.
    System(Option<&'a str>),
    /// Shows the settings, one of them, or changes one.
    Set(Option<&'a str>, Option<&'a str>),
    Show(Topic),
    Tools,
    Memory(Recollection<'a>),
    Regenerate,
    Undo,
    Branch(Option<&'a str>),
    Save(&'a str),
    Load(&'a str),
    List,
    Export(&'a str),
    Clear,
    Stats,
    Exit,
}

/// What `/show` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Topic {
    All,
    Prompt,
    Reasoning,
    Settings,
    System,
    Conversation,
}

/// What `/memory` does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Recollection<'a> {
    State,
    On,
    Off,
    Search(&'a str),
    Facts,
    Remember(&'a str),
    Forget(i64),
}

/// A command as `/help` tells it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Description {
    pub(super) name: &'static str,
    pub(super) arguments: &'static str,
    summary: &'static str,
    more: &'static str,
    /// Words that may stand first among its arguments.
    pub(super) words: &'static [&'static str],
}

/// All commands, in the order in which they are listed.
#[rustfmt::skip]
pub(super) const COMMANDS: [Description; 17] = [
    Description {
        name: "help", arguments: "[COMMAND]", summary: "this list, or one command",
        more: "", words: &[],
    },
    Description {
        name: "model", arguments: "[MODEL]", summary: "the model, or another one for the same conversation",
        more: "MODEL is what --model takes: a file, a folder, OWNER/NAME:PATTERN of a hub, or demo.", words: &[],
    },
    Description {
        name: "system", arguments: "[TEXT|off]", summary: "the instructions, or others from the next message on",
        more: "", words: &["off"],
    },
    Description {
        name: "set", arguments: "[NAME [VALUE]]", summary: "the settings, or a change of one",
        more: "The value `default` takes a change back.", words: &[],
    },
    Description {
        name: "show", arguments: "[all|prompt|reasoning|settings|system|conversation]",
        summary: "what is in force, or what the model is given",
        more: "`prompt` is the text that the next message would stand at the end of, tokens of the template included.\n\
               `reasoning` is what the model thought before its last answer.",
        words: &["all", "prompt", "reasoning", "settings", "system", "conversation"],
    },
    Description {
        name: "tools", arguments: "", summary: "the tools that the model may call",
        more: "They come from --tools FILE and --mcp NAME=SERVER. Before each call you are asked: y runs it, a runs every call of this tool until you \
               leave, anything else refuses.",
        words: &[],
    },
    Description {
        name: "memory", arguments: "[on|off|search TEXT|facts|remember TEXT|forget ID]",
        summary: "what outlasts the chat",
        more: "With `on` conversations are kept and facts that fit a message are shown to the model, and to you.\n\
               `search` looks through facts and conversations.",
        words: &["on", "off", "search", "facts", "remember", "forget"],
    },
    Description {
        name: "regen", arguments: "", summary: "another answer to the last message", more: "", words: &[],
    },
    Description {
        name: "undo", arguments: "", summary: "take back the last message and its answer", more: "", words: &[],
    },
    Description {
        name: "branch", arguments: "[TITLE]", summary: "go on in a copy; the conversation so far stays as it is",
        more: "", words: &[],
    },
    Description {
        name: "save", arguments: "TITLE", summary: "keep the conversation under a title", more: "", words: &[],
    },
    Description {
        name: "load", arguments: "ID|TITLE", summary: "go on with a kept conversation", more: "", words: &[],
    },
    Description {
        name: "list", arguments: "", summary: "the kept conversations", more: "", words: &[],
    },
    Description {
        name: "export", arguments: "FILE", summary: "write the conversation as Markdown, or as JSON to FILE.json",
        more: "A file that is there already is left alone.", words: &[],
    },
    Description {
        name: "clear", arguments: "", summary: "begin another conversation; a kept one stays kept", more: "", words: &[],
    },
    Description {
        name: "stats", arguments: "", summary: "size of the conversation, speed of the last answer", more: "", words: &[],
    },
    Description {
        name: "exit", arguments: "", summary: "leave (Ctrl-D does the same)", more: "", words: &[],
    },
];

/// What `/help` says at its end.
const KEYS: &str = "\
A message that begins with a slash is written with two. A line that ends with \\ goes on, and so does everything between
two lines of \"\"\"; Alt-Enter begins another line. Ctrl-C stops an answer, and again leaves.
";

/// Understands `line`; a message is taken to the letter, a command without the spaces around it.
pub(super) fn read(line: &str) -> Entry<'_> {
    let trimmed = line.trim();
    if trimmed.is_empty() {
        return Entry::Nothing;
    }
    let Some(rest) = trimmed.strip_prefix('/') else {
        return Entry::Message(line);
    };
    if rest.starts_with('/') {
        return Entry::Message(rest);
    }
    let (name, arguments) = first_word(rest);
    let Some(description) = description(name) else {
        return Entry::Wrong(format!("unknown command /{name}; /help lists commands"));
    };
    match command(description, arguments) {
        Ok(command) => Entry::Command(command),
        Err(fault) => Entry::Wrong(format!("/{name} {fault}; usage: {}", description.usage())),
    }
}

/// The command of this name, without its slash.
pub(super) fn description(name: &str) -> Option<&'static Description> {
    COMMANDS.iter().find(|command| command.name == name)
}

/// The first word and what follows it.
fn first_word(text: &str) -> (&str, Option<&str>) {
    match text.split_once(char::is_whitespace) {
        Some((word, rest)) => (word, Some(rest.trim()).filter(|rest| !rest.is_empty())),
        None => (text, None),
    }
}

fn command<'a>(description: &Description, arguments: Option<&'a str>) -> Result<Command<'a>, String> {
    let needed = |what: &str| arguments.ok_or_else(|| format!("wants {what}"));
    let alone = |command| match arguments {
        Some(argument) => Err(format!("takes no argument, {argument:?} is one")),
        None => Ok(command),
    };
    match description.name {
        "help" => match arguments {
            Some(name) => self::description(name.trim_start_matches('/'))
                .map(|found| Command::Help(Some(found)))
                .ok_or_else(|| format!("knows no command {name:?}")),
            None => Ok(Command::Help(None)),
        },
        "model" => Ok(Command::Model(arguments)),
        "system" => Ok(Command::System(arguments)),
        "set" => Ok(match arguments.map(first_word) {
            Some((name, value)) => Command::Set(Some(name), value),
            None => Command::Set(None, None),
        }),
        "show" => topic(arguments.unwrap_or("all")).map(Command::Show),
        "tools" => alone(Command::Tools),
        "memory" => recollection(arguments).map(Command::Memory),
        "regen" => alone(Command::Regenerate),
        "undo" => alone(Command::Undo),
        "branch" => Ok(Command::Branch(arguments)),
        "save" => needed("a title").map(Command::Save),
        "load" => needed("the number or the title of a conversation").map(Command::Load),
        "list" => alone(Command::List),
        "export" => needed("a file").map(Command::Export),
        "clear" => alone(Command::Clear),
        "stats" => alone(Command::Stats),
        "exit" => alone(Command::Exit),
        name => Err(format!("{name} cannot be obeyed")),
    }
}

fn topic(text: &str) -> Result<Topic, String> {
    Ok(match text {
        "all" => Topic::All,
        "prompt" => Topic::Prompt,
        "reasoning" => Topic::Reasoning,
        "settings" => Topic::Settings,
        "system" => Topic::System,
        "conversation" => Topic::Conversation,
        _ => return Err(format!("cannot show {text:?}")),
    })
}

fn recollection(arguments: Option<&str>) -> Result<Recollection<'_>, String> {
    let Some(arguments) = arguments else {
        return Ok(Recollection::State);
    };
    let (word, rest) = first_word(arguments);
    match (word, rest) {
        ("on", None) => Ok(Recollection::On),
        ("off", None) => Ok(Recollection::Off),
        ("facts", None) => Ok(Recollection::Facts),
        ("search", Some(text)) => Ok(Recollection::Search(text)),
        ("remember", Some(text)) => Ok(Recollection::Remember(text)),
        ("forget", Some(id)) => id
            .parse()
            .map(Recollection::Forget)
            .map_err(|_| format!("forget wants the number of a fact, not {id:?}")),
        ("search" | "remember", None) => Err(format!("{word} wants a text")),
        ("forget", None) => Err("forget wants the number of a fact".to_owned()),
        _ => Err(format!("cannot do {arguments:?}")),
    }
}

impl Description {
    /// The command as it is typed.
    pub(super) fn usage(&self) -> String {
        format!("/{} {}", self.name, self.arguments).trim_end().to_owned()
    }
}

/// What `/help` prints: everything, or of one command.
pub(super) fn help(of: Option<&Description>, colours: bool) -> String {
    let mut text = String::new();
    if let Some(command) = of {
        let _ = writeln!(text, "{}", Style::PLAIN.bold().paint(&command.usage(), colours));
        let _ = writeln!(text, "{}", command.summary);
        if !command.more.is_empty() {
            let _ = writeln!(text, "{}", command.more);
        }
        return text;
    }
    for command in &COMMANDS {
        let name = Style::PLAIN
            .bold()
            .paint(&format!("/{:<8}", command.name), colours);
        let _ = writeln!(text, "{name}{}", command.summary);
    }
    text.push_str(KEYS);
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wrong(line: &str) -> String {
        match read(line) {
            Entry::Wrong(fault) => fault,
            other => panic!("{line}: {other:?}"),
        }
    }

    #[test]
    fn lines_are_messages_unless_they_begin_with_a_slash() {
        for (line, entry) in [
            ("", Entry::Nothing),
            ("  \t", Entry::Nothing),
            (" hello / world ", Entry::Message(" hello / world ")),
            ("/exit", Entry::Command(Command::Exit)),
            (" /undo ", Entry::Command(Command::Undo)),
            ("//etc/passwd", Entry::Message("/etc/passwd")),
        ] {
            assert_eq!(read(line), entry, "{line:?}");
        }
    }

    #[test]
    fn arguments_are_read() {
        for (line, command) in [
            (
                "/set temperature 0.5",
                Command::Set(Some("temperature"), Some("0.5")),
            ),
            ("/set  stop a b ", Command::Set(Some("stop"), Some("a b"))),
            ("/set", Command::Set(None, None)),
            ("/show prompt", Command::Show(Topic::Prompt)),
            ("/show", Command::Show(Topic::All)),
            ("/memory", Command::Memory(Recollection::State)),
            ("/memory search a b", Command::Memory(Recollection::Search("a b"))),
            ("/memory forget 7", Command::Memory(Recollection::Forget(7))),
            ("/save my talk", Command::Save("my talk")),
            ("/system", Command::System(None)),
        ] {
            assert_eq!(read(line), Entry::Command(command), "{line:?}");
        }
    }

    #[test]
    fn what_cannot_be_obeyed_says_why_and_how_it_is_meant() {
        for (line, said) in [
            ("/dance", "unknown command /dance; /help lists commands"),
            ("/", "unknown command /; /help lists commands"),
            (
                "/exit now",
                "/exit takes no argument, \"now\" is one; usage: /exit",
            ),
            ("/save", "/save wants a title; usage: /save TITLE"),
            ("/show nothing", "/show cannot show \"nothing\""),
            ("/memory forget x", "the number of a fact, not \"x\""),
            ("/memory on now", "cannot do \"on now\""),
            ("/help dance", "knows no command \"dance\""),
        ] {
            assert!(wrong(line).contains(said), "{line}: {}", wrong(line));
        }
    }

    #[test]
    fn help_lists_every_command_and_tells_of_each() {
        let all = help(None, false);
        for command in &COMMANDS {
            assert!(
                all.contains(&format!("\n/{}", command.name)) || all.starts_with("/help"),
                "{all}"
            );
            let one = help(Some(command), false);
            assert!(
                one.contains(&command.usage()) && one.contains(command.summary),
                "{one}"
            );
        }
    }

    #[test]
    fn every_word_that_is_offered_is_understood() {
        for command in &COMMANDS {
            for word in command.words {
                let line = format!("/{} {word}", command.name);
                let with = format!("{line} 1");
                let is_command = |line: &str| matches!(read(line), Entry::Command(_));
                assert!(is_command(&line) || is_command(&with), "{line}");
            }
        }
    }
}
