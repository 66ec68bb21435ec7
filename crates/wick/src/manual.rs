//! `wick man`: the manual, a page for the program and one for each of its commands.

use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Command;
use clap_mangen::Man;
use clap_mangen::roff::{Roff, bold, roman};

use crate::arguments::{self, KEY, ManualArguments};
use crate::settings::{CONFIG, KEYS, PROFILE, variable_of};
use crate::{failure, output};

/// Writes the pages that `arguments` ask for.
///
/// # Errors
///
/// Where they cannot be written.
pub(crate) fn manual(arguments: &ManualArguments) -> anyhow::Result<ExitCode> {
    let mut program = arguments::described().disable_help_subcommand(true);
    program.build();
    let Some(folder) = &arguments.out else {
        output::write(&page(&program)?)?;
        return Ok(ExitCode::SUCCESS);
    };
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    write(&program, folder)?;
    Ok(ExitCode::SUCCESS)
}

/// Writes the page of `command` and those of its own commands.
fn write(command: &Command, folder: &Path) -> anyhow::Result<()> {
    let path = folder.join(format!("{}.1", name(command)));
    std::fs::write(&path, page(command)?).with_context(|| format!("cannot write {}", path.display()))?;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| write(below, folder))
}

/// What the page is called: the commands with dashes between them.
fn name(command: &Command) -> String {
    let name = command.get_display_name().unwrap_or_else(|| command.get_name());
    name.to_owned()
}

fn page(command: &Command) -> anyhow::Result<String> {
    let mut page = Vec::new();
    // What clap calls extra is the text after the help, which has sections of its own here.
    let man = Man::new(command.clone().after_help("").after_long_help(""));
    let rendered = (|| {
        man.render_title(&mut page)?;
        man.render_name_section(&mut page)?;
        man.render_synopsis_section(&mut page)?;
        man.render_description_section(&mut page)?;
        if command.get_arguments().next().is_some() {
            man.render_options_section(&mut page)?;
        }
        if command.has_subcommands() {
            man.render_subcommands_section(&mut page)?;
        }
        sections().to_writer(&mut page)
    })();
    rendered.context("the page cannot be written")?;
    page.push(b'\n');
    String::from_utf8(page).context("the page is no text")
}

/// What is true of every command.
fn sections() -> Roff {
    let mut roff = Roff::new();
    roff.control("SH", ["EXIT STATUS"]);
    for line in failure::STATUS.lines().skip(1) {
        let line = line.trim_start();
        let (code, meaning) = line.split_once(' ').unwrap_or((line, ""));
        roff.control("TP", ["8"]);
        roff.text([bold(code)]);
        roff.text([roman(meaning.trim_start())]);
    }
    roff.control("SH", ["ENVIRONMENT"]);
    let mut variables = vec![
        (
            CONFIG.to_owned(),
            "the configuration file, as --config names it".to_owned(),
        ),
        (
            PROFILE.to_owned(),
            "the profile, as --profile names it".to_owned(),
        ),
        (
            KEY.to_owned(),
            "the key of a server; it is never shown".to_owned(),
        ),
    ];
    for key in &KEYS {
        let meaning = format!("the setting {}, as {} gives it", key.name, key.flag());
        variables.push((variable_of(key.name), meaning));
    }
    for (variable, meaning) in variables {
        roff.control("TP", []);
        roff.text([bold(variable)]);
        roff.text([roman(meaning)]);
    }
    roff.control("SH", ["FILES"]);
    for (file, meaning) in [
        (
            "$XDG_CONFIG_HOME/wick/config.toml, or else ~/.config/wick/config.toml",
            "the configuration: settings, and profiles in tables [profiles.NAME]",
        ),
        (
            "$XDG_DATA_HOME/wick/memory.db, or else ~/.local/share/wick/memory.db",
            "conversations and facts that are kept",
        ),
    ] {
        roff.control("TP", []);
        roff.text([bold(file)]);
        roff.text([roman(meaning)]);
    }
    roff
}
