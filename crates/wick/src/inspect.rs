//! `wick inspect`: what a model on disk holds and what running it takes, without loading a weight.

mod chat;
mod description;

use std::fmt::Write as _;
use std::process::ExitCode;

use crate::arguments::InspectArguments;
use crate::{failure, output};
use anyhow::Context as _;
use description::{Description, Memory, Template, TensorTotal, Token, TokenizerDescription};
use providers::Dialect;
use providers::family::PLAIN;

/// Describes the model of `arguments`.
///
/// # Errors
///
/// Where its files are not whole, and where a chat cannot be rendered.
pub(crate) fn inspect(arguments: &InspectArguments) -> anyhow::Result<ExitCode> {
    let checkpoint = arguments.source()?.open()?;
    if let Some(file) = &arguments.render {
        let dialect = Dialect::of(&checkpoint, arguments.provider.unwrap_or(&PLAIN))?;
        output::page(&chat::read(file)?.rendered(&dialect)?)?;
        return Ok(ExitCode::SUCCESS);
    }
    let description = Description::of(&checkpoint);
    if arguments.json {
        let line =
            serde_json::to_string(&description).context("the description cannot be written as JSON")?;
        output::record(&(line + "\n"))?;
    } else {
        output::write(&page(&description))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// The description as a page of text, one fact a line.
fn page(description: &Description) -> String {
    let mut page = Page(String::new());
    let format = match description.gguf_version {
        Some(version) => format!("GGUF version {version}"),
        None => "safetensors".to_owned(),
    };
    page.fact(
        "file",
        &format!("{} ({}, {format})", description.file, bytes(description.bytes)),
    );
    page.fact("name", description.name.as_deref().unwrap_or("not given"));
    page.fact(
        "architecture",
        description.architecture.as_deref().unwrap_or("not given"),
    );
    page.fact("parameters", &grouped(description.parameters));
    for (name, value) in [
        ("context", description.context),
        ("layers", description.layers),
        ("embedding", description.embedding),
        ("feed forward", description.feed_forward),
        ("heads", description.heads),
        ("key/value heads", description.kv_heads),
    ] {
        page.fact(
            name,
            &value.map_or("not given".to_owned(), |value| grouped(value as u64)),
        );
    }
    page.tensors(&description.tensors);
    page.tokenizer(&description.tokenizer);
    page.fact(
        "chat template",
        &match &description.chat_template {
            Template::Absent => "none".to_owned(),
            Template::Usable { bytes: length } => format!("yes ({})", bytes(*length as u64)),
            Template::Unusable { error } => format!("cannot be used: {error}"),
        },
    );
    match &description.memory {
        Memory::Planned {
            weights_bytes,
            weights_held,
            cache_type,
            cache_bytes_per_1000_positions,
        } => {
            page.fact(
                "weights in memory",
                &format!("{} ({weights_held})", bytes(*weights_bytes)),
            );
            let cache = bytes(*cache_bytes_per_1000_positions);
            page.fact(
                "cache in memory",
                &format!("{cache} per 1,000 positions ({cache_type})"),
            );
        }
        Memory::Unusable { error } => page.fact("cannot be run", error),
    }
    page.0
}

struct Page(String);

impl Page {
    /// One line; what the file says of itself is shown without anything a terminal would obey.
    fn fact(&mut self, name: &str, value: &str) {
        // Writing into a String cannot fail.
        let _ = writeln!(self.0, "{name:<18}{}", failure::one_line(value));
    }

    fn tensors(&mut self, totals: &[TensorTotal]) {
        if totals.is_empty() {
            self.fact("tensors", "none");
        }
        for (index, total) in totals.iter().enumerate() {
            let stored = total.bytes.map_or("size not known".to_owned(), bytes);
            let line = format!(
                "{:<8} {:>5} tensors, {} weights, {stored}",
                total.kind,
                total.count,
                grouped(total.weights)
            );
            // Aligned by hand, so not squeezed into single spaces.
            let _ = writeln!(
                self.0,
                "{:<18}{}",
                if index == 0 { "tensors" } else { "" },
                output::harmless(&line)
            );
        }
    }

    fn tokenizer(&mut self, tokenizer: &TokenizerDescription) {
        match tokenizer {
            TokenizerDescription::Usable {
                kind,
                vocabulary,
                bos,
                adds_bos,
                eos,
                end_of_generation,
            } => {
                self.fact(
                    "tokenizer",
                    &format!("{kind}, {} tokens", grouped(*vocabulary as u64)),
                );
                let added = if *adds_bos { ", added to every prompt" } else { "" };
                self.fact(
                    "start token",
                    &bos.as_ref()
                        .map_or("none".to_owned(), |bos| format!("{}{added}", token(bos))),
                );
                self.fact("end token", &eos.as_ref().map_or("none".to_owned(), token));
                let ends: Vec<String> = end_of_generation.iter().map(token).collect();
                self.fact(
                    "answers end at",
                    &if ends.is_empty() {
                        "none".to_owned()
                    } else {
                        ends.join(", ")
                    },
                );
            }
            TokenizerDescription::Unusable { error } => {
                self.fact("tokenizer", &format!("cannot be used: {error}"))
            }
        }
    }
}

fn token(token: &Token) -> String {
    format!("{} {:?}", token.id, token.text)
}

/// A size in binary units, to three digits.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return format!("{count} bytes");
    }
    let mut size = count as f64 / 1024.0;
    let mut unit = 0;
    while size >= 1024.0 && unit + 1 < UNITS.len() {
        size /= 1024.0;
        unit += 1;
    }
    let digits = if size < 10.0 { 2 } else { usize::from(size < 100.0) };
    format!("{size:.digits$} {}", UNITS.get(unit).copied().unwrap_or_default())
}

/// A number with a comma every three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_grouped_by_three_digits() {
        for (number, text) in [(0, "0"), (999, "999"), (1000, "1,000"), (1_234_567, "1,234,567")] {
            assert_eq!(grouped(number), text);
        }
    }

    #[test]
    fn sizes_have_three_digits_and_a_unit() {
        for (count, text) in [
            (0, "0 bytes"),
            (1023, "1023 bytes"),
            (1024, "1.00 KiB"),
            (15 << 20, "15.0 MiB"),
            (300 << 30, "300 GiB"),
            (u64::MAX, "16384 PiB"),
        ] {
            assert_eq!(bytes(count), text);
        }
    }
}
