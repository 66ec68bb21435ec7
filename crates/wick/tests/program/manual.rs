//! `wick man` and `wick completions`: what is said about the command line is all of it, in the form that readers take.

use std::io::Write as _;
use std::process::{Command, Stdio};

use crate::files::Files;
use crate::process::{argument, wick};

/// What `program` makes of `text`, unless this machine does not have it: whether it ends well, and what it says.
fn given(program: &str, arguments: &[&str], text: &str) -> Option<(bool, String, String)> {
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.ok()?;
    let mut stdin = child.stdin.take().expect("stdin is piped");
    let text = text.to_owned();
    let writing = std::thread::spawn(move || drop(stdin.write_all(text.as_bytes())));
    let ended = child.wait_with_output().expect("it ends");
    writing.join().expect("the writer does not panic");
    let read = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Some((ended.status.success(), read(&ended.stdout), read(&ended.stderr)))
}

/// The commands that the help lists.
fn commands() -> Vec<String> {
    let help = wick(&["--help"]).text();
    let listed = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let names = listed.map_while(|line| line.strip_prefix("  ")?.split(' ').next().map(str::to_owned));
    names.filter(|name| !name.is_empty() && name != "help").collect()
}

#[test]
fn every_shell_gets_a_script_with_every_command() {
    let commands = commands();
    assert!(commands.len() > 10, "{commands:?}");
    for shell in ["bash", "zsh", "fish", "powershell", "elvish"] {
        let script = wick(&["completions", shell]).text();
        for name in &commands {
            assert!(script.contains(name.as_str()), "{shell} lacks {name}");
        }
        let checked = match shell {
            "bash" | "zsh" => given(shell, &["-n"], &script),
            "fish" => given("fish", &["--no-execute"], &script),
            _ => None,
        };
        if let Some((well, _, said)) = checked {
            assert!(well && said.is_empty(), "{shell}: {said}");
        }
    }
    let ended = wick(&["completions", "tcsh"]);
    assert_eq!(ended.status.code(), Some(2), "{ended:?}");
    assert!(ended.complaint().contains("tcsh"), "{ended:?}");
}

/// Completes a command line as bash would, where there is one.
#[test]
fn bash_completes_commands_and_options() {
    let script = wick(&["completions", "bash"]).text();
    for (words, expected) in [
        ("wick mem", "memory"),
        ("wick memory for", "forget"),
        ("wick run --sch", "--schema"),
    ] {
        let line = format!(
            "{script}\nCOMP_WORDS=({words}); COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1))\n\
             _wick wick \"${{COMP_WORDS[$COMP_CWORD]}}\" \"${{COMP_WORDS[$COMP_CWORD-1]}}\"\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
        );
        if let Some((_, found, said)) = given("bash", &["--norc"], &line) {
            assert_eq!(found, format!("{expected}\n"), "{words}: {said}");
        }
    }
}

#[test]
fn the_manual_has_a_page_for_every_command_that_a_reader_can_show() {
    let files = Files::new();
    let folder = files.path("pages/man1");
    assert_eq!(wick(&["man", "--out", argument(&folder)]).text(), "");
    let mut pages = vec![
        "wick.1".to_owned(),
        "wick-memory-forget.1".to_owned(),
        "wick-config-show.1".to_owned(),
    ];
    pages.extend(commands().iter().map(|name| format!("wick-{name}.1")));
    for name in pages {
        let page = std::fs::read_to_string(folder.join(&name)).expect("the page is there");
        for section in [
            ".TH",
            ".SH NAME",
            ".SH SYNOPSIS",
            ".SH \"EXIT STATUS\"",
            ".SH ENVIRONMENT",
            ".SH FILES",
        ] {
            assert!(page.contains(section), "{name} lacks {section}");
        }
        let begins = |line: &str| line.starts_with(".TH");
        assert_eq!(page.lines().filter(|line| begins(line)).count(), 1);
        if let Some((well, shown, said)) = given("groff", &["-man", "-Tascii", "-ww"], &page) {
            assert!(well && said.is_empty(), "{name}: {said}");
            assert!(shown.contains("interrupted by Ctrl-C"), "{shown}");
        }
    }
    let alone = wick(&["man"]).text();
    assert_eq!(
        std::fs::read_to_string(folder.join("wick.1")).expect("the page"),
        alone
    );
}

#[test]
fn exit_statuses_are_told_by_help_and_manual() {
    for said in [wick(&["--help"]).text(), wick(&["run", "--help"]).text()] {
        for status in ["  0 ", "  1 ", "  2 ", "  130 "] {
            assert!(said.contains(status), "{status} is not in {said}");
        }
    }
}
