//! The guide: every command that it shows is run, in order and in one home, and prints what the guide says.
//!
//! Blocks of `console` hold commands behind `$ `, lines typed in a chat behind `> `, and what is printed; `...` stands for
//! anything, alone in a line for any lines. A block whose first line also names a file is that file. Other blocks, and
//! commands elsewhere in the text, are failures.

use std::io::{BufRead as _, BufReader};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::files::Files;
use crate::hub_server::Server;
use crate::process::{argument, run};
use crate::screen::Start;

const GUIDE: &str = include_str!("../../../../docs/guide.md");
const AGENT: &str = include_str!("../../../chat/examples/agent.rs");
const DEMO: &[u8] = include_bytes!("../../../providers/assets/demo-q8_0.gguf");

/// Commands of the text that something else runs: the build by which the program is there, and `cargo xtask examples`.
const ELSEWHERE: [&str; 2] = [
    "cargo install --path crates/wick",
    "cargo run -p chat --example agent",
];
/// The port that the guide serves at.
const PORT: &str = "8080";
/// What a chat asks before it runs a tool.
const CONSENT: &str = "run it? [y]es, [n]o, [a]lways in this chat (no) ";

/// A fenced block.
struct Block {
    language: &'static str,
    file: Option<&'static str>,
    lines: Vec<&'static str>,
}

/// The blocks, and the text around them.
fn read() -> (Vec<Block>, String) {
    let (mut blocks, mut text): (Vec<Block>, String) = (Vec::new(), String::new());
    let mut open = false;
    for line in GUIDE.lines() {
        match line.strip_prefix("```") {
            Some("") if open => open = false,
            Some(head) => {
                assert!(!open, "a block begins within another: {line}");
                let mut words = head.split(' ');
                blocks.push(Block {
                    language: words.next().unwrap_or_default(),
                    file: words.next(),
                    lines: Vec::new(),
                });
                open = true;
            }
            None if open => blocks.last_mut().expect("one is open").lines.push(line),
            None => text += &format!("{line}\n"),
        }
    }
    assert!(!open, "the last block has no end");
    (blocks, text)
}

/// The commands of a block, each with what it prints.
fn commands(block: &Block) -> Vec<(&'static str, Vec<&'static str>)> {
    let mut commands: Vec<(&str, Vec<&str>)> = Vec::new();
    for line in &block.lines {
        match (line.strip_prefix("$ "), commands.last_mut()) {
            (Some(command), _) => commands.push((command, Vec::new())),
            (None, Some((_, printed))) => printed.push(line),
            (None, None) => panic!("{line:?} is printed by no command"),
        }
    }
    assert!(!commands.is_empty(), "a block without a command");
    for (command, printed) in &commands {
        assert!(
            can_fail(printed),
            "whatever `{command}` prints is as the guide says"
        );
    }
    commands
}

/// Whether there is something that these lines do not fit: they are none, or one of them says more than `...`.
fn can_fail(patterns: &[&str]) -> bool {
    let says = |line: &&str| !line.replace("...", "").trim().is_empty();
    patterns.is_empty() || patterns.iter().any(says)
}

/// Whether `text` is as `pattern` says, in which `...` is any text.
fn fits(pattern: &str, text: &str) -> bool {
    match pattern.split_once("...") {
        None => pattern == text,
        Some((before, rest)) => text.strip_prefix(before).is_some_and(|text| {
            let mut starts = text.char_indices().map(|(at, _)| at).chain([text.len()]);
            starts.any(|at| fits(rest, &text[at..]))
        }),
    }
}

/// Whether lines are as those of the guide, in which a `...` alone is any lines.
fn all_fit(patterns: &[&str], lines: &[&str]) -> bool {
    match (patterns, lines) {
        ([], lines) => lines.is_empty(),
        (["...", rest @ ..], lines) => (0..=lines.len()).any(|skipped| all_fit(rest, &lines[skipped..])),
        ([pattern, patterns @ ..], [line, lines @ ..]) => fits(pattern, line) && all_fit(patterns, lines),
        (_, []) => false,
    }
}

#[track_caller]
fn compare(command: &str, expected: &[&str], printed: &str) {
    let blank = |line: &&str| !line.is_empty();
    let expected: Vec<&str> = expected
        .iter()
        .map(|line| line.trim_end())
        .filter(blank)
        .collect();
    let lines: Vec<&str> = printed.lines().map(str::trim_end).filter(blank).collect();
    assert!(
        all_fit(&expected, &lines),
        "`{command}` printed\n{printed}\nand the guide says\n{}",
        expected.join("\n")
    );
}

/// What the commands of the guide share.
struct Home {
    files: Files,
    hub: Server,
    port: String,
    serving: Option<Child>,
}

impl Drop for Home {
    fn drop(&mut self) {
        if let Some(child) = &mut self.serving {
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

impl Home {
    fn new() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port().to_string();
        let hub = Server::of(
            "unsloth/Qwen3-0.6B-GGUF",
            &[("Qwen3-0.6B-Q8_0.gguf", DEMO)],
            |_, _| None,
        );
        Self {
            files: Files::new(),
            hub,
            port,
            serving: None,
        }
    }

    fn path(&self) -> PathBuf {
        self.files.path("home")
    }

    /// `command` in a shell, in this home, with the program before all others of its name.
    fn shell(&self, command: &str) -> Command {
        let own = Path::new(env!("CARGO_BIN_EXE_wick")).parent().expect("a folder");
        let path = std::env::var("PATH").unwrap_or_default();
        let home = self.path();
        let mut shell = Command::new("sh");
        for (name, _) in std::env::vars_os() {
            if name
                .to_str()
                .is_some_and(|name| name.starts_with("WICK_") || name.starts_with("HF_"))
            {
                shell.env_remove(name);
            }
        }
        shell
            .args(["-c", &format!("exec 2>&1\n{command}")])
            .env("PATH", format!("{}:{path}", argument(own)))
            .env("HOME", &home)
            .env("XDG_DATA_HOME", home.join("data"))
            .env("XDG_STATE_HOME", home.join("state"))
            .env("XDG_CONFIG_HOME", home.join("config"))
            .env("HF_ENDPOINT", self.hub.url())
            .env("HF_HOME", home.join("hub"))
            .current_dir(home);
        shell
    }

    /// Runs one command and compares what it prints.
    fn run(&mut self, command: &str, expected: &[&str]) {
        let ours = command.replace(PORT, &self.port);
        if let Some(background) = ours.strip_suffix(" &") {
            return self.serve(background, expected);
        }
        if command.starts_with("wick chat") && expected.iter().any(|line| line.starts_with("> ")) {
            return self.chat(command, expected);
        }
        let ended = run(&mut self.shell(&ours));
        compare(command, expected, &String::from_utf8_lossy(&ended.stdout));
    }

    /// Starts a server, waits until it is ready and compares what it printed until then.
    fn serve(&mut self, command: &str, expected: &[&str]) {
        let mut shell = self.shell(&format!("exec {command}"));
        let mut child = shell
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let mut said = BufReader::new(child.stdout.take().expect("stdout is piped")).lines();
        self.serving = Some(child);
        let mut printed = String::new();
        loop {
            let line = said.next().and_then(Result::ok);
            let line = line.unwrap_or_else(|| panic!("`{command}` ended before it was ready: {printed}"));
            printed += &format!("{line}\n");
            if line.contains("is ready") {
                break;
            }
        }
        compare(command, expected, &printed.replace(&self.port, PORT));
        std::thread::spawn(move || said.count());
    }

    /// Types the lines of a chat at a terminal.
    fn chat(&self, command: &str, expected: &[&str]) {
        let arguments = command.split(' ').skip(1);
        let start = Start::at(&self.path()).size(300, 200).folder(&self.path());
        let mut screen = start.wick(arguments);
        screen.asks();
        let mut typed = expected.iter().filter_map(|line| {
            let consent = line.strip_prefix(CONSENT);
            line.strip_prefix("> ")
                .or(consent)
                .map(|keys| (keys, consent.is_some()))
        });
        let mut next = typed.next();
        while let Some((keys, _)) = next {
            screen.say(keys);
            next = typed.next();
            match next {
                Some((_, true)) => screen.sees(CONSENT.trim_end()),
                Some((_, false)) => screen.asks(),
                None => assert_eq!(screen.ends(), 0, "{}", screen.text()),
            }
        }
        compare(command, expected, &screen.text());
    }
}

#[test]
fn every_command_of_the_guide_does_what_it_says() {
    let mut home = Home::new();
    std::fs::create_dir(home.path()).expect("the home can be made");
    let (blocks, text) = read();
    let mut shown = Vec::new();
    for block in &blocks {
        let whole = block.lines.join("\n");
        match (block.language, block.file) {
            ("console", None) => {
                for (command, expected) in commands(block) {
                    shown.push(command);
                    home.run(command, &expected);
                }
            }
            ("json" | "toml" | "sh", Some(file)) => {
                std::fs::write(home.path().join(file), whole + "\n").expect("the file can be written");
            }
            ("rust", None) => assert!(
                AGENT.ends_with(&format!("\n\n{whole}\n")),
                "the guide's agent is another"
            ),
            ("text", None) => assert!(!whole.contains("$ "), "a command that nothing runs:\n{whole}"),
            (language, file) => panic!("a block of {language} {file:?}, which nothing runs"),
        }
    }
    assert!(shown.len() > 15, "the guide shows {} commands", shown.len());
    for code in text.split('`').skip(1).step_by(2) {
        let is_command = ["wick ", "cargo ", "curl ", "sh "]
            .iter()
            .any(|name| code.starts_with(name));
        let runs = |command: &&str| {
            code.split_whitespace()
                .all(|word| command.split(' ').any(|own| own == word))
        };
        assert!(
            !is_command || ELSEWHERE.contains(&code) || shown.iter().any(runs),
            "the guide tells of `{code}`, which nothing runs"
        );
    }
}

#[test]
fn what_differs_from_the_guide_is_seen() {
    assert!(all_fit(&["a ... c", "...", "z"], &["a b c", "x", "y", "z"]));
    assert!(all_fit(&["...a..."], &["cab"]));
    assert!(!all_fit(&["a ... c"], &["a b d"]));
    assert!(!all_fit(&["a"], &["a", "b"]));
    assert!(!all_fit(&["a", "...", "z"], &["a"]));
    assert!(can_fail(&[]) && can_fail(&["...", "... a"]));
    assert!(!can_fail(&["...", "", "... ..."]));
}
