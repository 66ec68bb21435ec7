//! `wick config`: what is set, and where.

use std::fmt::Write as _;
use std::path::Path;
use std::process::ExitCode;

use anyhow::Context as _;
use serde_json::{Map, Value, json};

use crate::arguments::{ConfigurationArguments, KEY, KeySource, ShowArguments};
use crate::settings::{self, CONFIG, KEYS, Origin, PROFILE, Resolved, Settings};
use crate::{failure, output};

/// Shows what `run` and `chat` would be given these flags.
///
/// # Errors
///
/// What is wrong with the environment, or what `run` would refuse.
pub(crate) fn show(mut arguments: ShowArguments, mut settings: Settings) -> anyhow::Result<ExitCode> {
    arguments.settle(&mut settings)?;
    let key = arguments.model.key();
    let text = match arguments.json {
        true => format!("{}\n", record(&settings, key.as_ref())),
        false => page(&settings, key.as_ref()),
    };
    for name in strangers() {
        failure::complain(&format!("wick: {name} is set, and is no variable of wick\n"));
    }
    match arguments.json {
        true => output::record(&text)?,
        false => output::write(&text)?,
    }
    // A key that `run` would refuse is refused here too, after all is shown.
    arguments.model.remote()?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the path of the configuration file, which need not be there.
///
/// # Errors
///
/// None is named, and the system tells of no home.
pub(crate) fn path(arguments: &ConfigurationArguments) -> anyhow::Result<ExitCode> {
    let path = settings::named_or_usual(arguments.config.as_deref());
    let path =
        path.context("there is no home to look for a configuration in; name one with --config FILE")?;
    output::write(&format!("{}\n", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// Variables that are named as those of the program are, and are none.
fn strangers() -> Vec<String> {
    let known: Vec<String> = KEYS.iter().map(|key| settings::variable_of(key.name)).collect();
    let mut strangers: Vec<String> = std::env::vars_os()
        .filter_map(|(name, _)| name.into_string().ok())
        .filter(|name| name.starts_with("WICK_") && !known.contains(name))
        .filter(|name| ![CONFIG, PROFILE, KEY].contains(&name.as_str()))
        .collect();
    strangers.sort();
    strangers
}

/// The settings in the order of [`KEYS`], each with its place.
fn resolved(settings: &Settings) -> impl Iterator<Item = (&Resolved, &'static str)> {
    KEYS.iter().filter_map(|key| {
        let found = settings
            .resolved()
            .iter()
            .rfind(|resolved| resolved.key == key.name);
        found.map(|found| (found, key.default))
    })
}

/// A value as it may be shown: addresses have no user and no password.
fn shown(resolved: &Resolved) -> Value {
    match (resolved.key, &resolved.value) {
        ("remote", Value::Array(addresses)) => {
            let hidden = |address: &Value| match address.as_str() {
                Some(text) => without_user(text).into(),
                None => address.clone(),
            };
            addresses.iter().map(hidden).collect()
        }
        (_, value) => value.clone(),
    }
}

/// An address with `...` in the place of its user and password, if it has any.
fn without_user(address: &str) -> String {
    let (scheme, rest) = match address.split_once("//") {
        Some((scheme, rest)) => (format!("{scheme}//"), rest),
        None => (String::new(), address),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}...@{host}{path}"),
        None => address.to_owned(),
    }
}

fn record(settings: &Settings, key: Option<&KeySource>) -> Value {
    let mut values = Map::new();
    for (resolved, default) in resolved(settings) {
        let mut entry = place(settings.path(), &resolved.origin);
        entry.insert("value".to_owned(), shown(resolved));
        if resolved.value.is_null() {
            entry.insert("default".to_owned(), default.into());
        }
        values.insert(resolved.key.to_owned(), entry.into());
    }
    let key = key.map(|key| match key {
        KeySource::Variable => json!({"set": true, "from": "variable", "variable": KEY}),
        KeySource::File(path) => json!({"set": true, "from": "file", "file": path}),
    });
    json!({
        "file": settings.path(),
        "profile": settings.profile(),
        "api_key": key.unwrap_or_else(|| json!({"set": false})),
        "settings": values,
    })
}

fn place(file: Option<&Path>, origin: &Origin) -> Map<String, Value> {
    let place = match origin {
        Origin::Default => json!({"from": "default"}),
        Origin::File { line } => json!({"from": "file", "file": file, "line": line}),
        Origin::Profile { name, line } => {
            json!({"from": "profile", "profile": name, "file": file, "line": line})
        }
        Origin::Variable(name) => json!({"from": "variable", "variable": name}),
        Origin::Flag => json!({"from": "flag"}),
    };
    match place {
        Value::Object(place) => place,
        _ => Map::new(),
    }
}

/// A line for each setting: its name, its value, its place.
fn page(settings: &Settings, key: Option<&KeySource>) -> String {
    let mut page = String::new();
    let file = settings.path().map(|path| path.display().to_string());
    // Writing into a String cannot fail.
    let mut fact = |name: &str, value: &str, place: &str| {
        let line = failure::one_line(&format!("{name:<20} {value:<40} {place}"));
        let _ = writeln!(page, "{}", line.trim_end());
    };
    fact("file", file.as_deref().unwrap_or("none"), "");
    fact("profile", settings.profile().unwrap_or("none"), "");
    for (resolved, default) in resolved(settings) {
        let value = match shown(resolved) {
            Value::Null => default.to_owned(),
            Value::String(text) => text,
            other => other.to_string(),
        };
        let at = file.as_deref().unwrap_or_default();
        let place = match &resolved.origin {
            Origin::Default => "default".to_owned(),
            Origin::File { line } => format!("{at}:{line}"),
            Origin::Profile { name, line } => format!("{at}:{line}, profile {name}"),
            Origin::Variable(name) => name.clone(),
            Origin::Flag => "command line".to_owned(),
        };
        fact(resolved.key, &value, &place);
    }
    match key {
        Some(KeySource::Variable) => fact("api_key", "set, and not shown", KEY),
        Some(KeySource::File(path)) => fact("api_key", "set, and not shown", &path.display().to_string()),
        None => fact("api_key", "none", "default"),
    }
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_without_its_user() {
        for (address, shown) in [
            ("https://user:p@ss@host:8000/v1", "https://...@host:8000/v1"),
            ("user:pass@host", "...@host"),
            ("http://host/a@b", "http://host/a@b"),
            ("http://host", "http://host"),
        ] {
            assert_eq!(without_user(address), shown);
        }
    }
}
