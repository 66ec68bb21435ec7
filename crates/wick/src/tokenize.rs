//! `wick tokenize`: the tokens of a text, from a tokenizer alone; no weight is read.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use models::{GgufFile, ModelError, Special, Tokenizer};
use serde::Serialize;

use crate::arguments::TokenizeArguments;
use crate::output;
use crate::source::Source;

/// Shows the tokens of the text of `arguments`.
///
/// # Errors
///
/// Where the tokenizer cannot be read or used, or the text cannot be split.
pub(crate) fn tokenize(arguments: &TokenizeArguments) -> anyhow::Result<ExitCode> {
    let tokenizer = match Source::of(Some(&arguments.model), arguments.offline.said())? {
        Source::Path(path) => open(&path)?,
        other => other.open()?.tokenizer()?,
    };
    let special = if arguments.no_special {
        Special::Literal
    } else {
        Special::Parse
    };
    let ids = tokenizer.encode(&arguments.text, special)?;
    let tokens: Vec<String> = ids.iter().map(|&id| name(&tokenizer, id)).collect();
    let mut text = String::new();
    if arguments.json {
        text =
            serde_json::to_string(&Record { ids, tokens }).context("the tokens cannot be written as JSON")?;
        text.push('\n');
    } else {
        for (id, token) in ids.iter().zip(&tokens) {
            // Writing into a String cannot fail.
            let _ = writeln!(text, "{id:>7} {token:?}");
        }
    }
    match arguments.json {
        true => output::record(&text)?,
        false => output::write(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

/// What `wick tokenize --json` prints.
#[derive(Serialize)]
struct Record {
    ids: Vec<u32>,
    /// As the vocabulary spells them.
    tokens: Vec<String>,
}

/// The tokenizer at `path`, by the name of the file: weights and their index stand for the folder they lie in.
fn open(path: &Path) -> Result<Tokenizer, ModelError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let beside = || match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    if path.is_dir() {
        Tokenizer::from_folder(path)
    } else if name.ends_with(".safetensors") || name.ends_with(".safetensors.index.json") {
        Tokenizer::from_folder(beside())
    } else if name.ends_with(".json") || name.ends_with(".model") {
        Tokenizer::from_file(path)
    } else {
        Tokenizer::from_gguf(&GgufFile::open(path)?)
    }
}

/// The token's name in the vocabulary; where that is no text, its bytes with U+FFFD for what is broken.
fn name(tokenizer: &Tokenizer, id: u32) -> String {
    match tokenizer.token_text(id) {
        Some(name) => name.to_owned(),
        None => String::from_utf8_lossy(tokenizer.token_bytes(id).unwrap_or_default()).into_owned(),
    }
}
