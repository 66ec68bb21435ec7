//! The configuration file: TOML, with the line of everything that it says.

use std::collections::BTreeMap;
use std::ops::Range;
use std::path::PathBuf;

use serde_json::{Map, Value};
use toml::de::{DeTable, DeValue};

use super::{SettingsError, key};

/// The most bytes that a configuration has.
const MOST_BYTES: u64 = 1 << 20;
/// What a file may not say, since it is secret.
const SECRET: [&str; 3] = ["api_key", "key", "token"];

/// A file that was read and checked.
#[derive(Debug)]
pub(crate) struct File {
    /// Where it lies.
    pub(crate) path: PathBuf,
    /// The profile that it chooses itself.
    pub(super) profile: Option<String>,
    settings: Table,
    profiles: BTreeMap<String, Table>,
}

type Table = BTreeMap<String, Entry>;

/// What stands behind a key.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: Value,
    /// Counted from 1.
    pub(super) line: usize,
}

impl File {
    /// Reads a file and checks all that it says.
    ///
    /// # Errors
    ///
    /// Where it cannot be read, is no TOML, or says what is no setting, is of another type or secret.
    pub(crate) fn read(path: PathBuf) -> Result<Self, SettingsError> {
        match read(&path) {
            Ok(text) => Reading { path, text: &text }.file(),
            Err(source) => Err(SettingsError::Read { path, source }),
        }
    }

    pub(super) fn has_profile(&self, name: &str) -> bool {
        self.profiles.contains_key(name)
    }

    /// The names of its profiles.
    pub(crate) fn profiles(&self) -> Vec<String> {
        self.profiles.keys().cloned().collect()
    }

    /// What a profile says of `key`, or else the file outside of all profiles.
    pub(super) fn entry(&self, profile: Option<&str>, key: &str) -> Option<&Entry> {
        match profile {
            Some(name) => self.profiles.get(name)?.get(key),
            None => self.settings.get(key),
        }
    }
}

fn read(path: &std::path::Path) -> std::io::Result<String> {
    use std::io::Read as _;
    let mut text = String::new();
    std::fs::File::open(path)?
        .take(MOST_BYTES + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > MOST_BYTES {
        let fault = format!("it has more than {MOST_BYTES} bytes");
        return Err(std::io::Error::new(std::io::ErrorKind::FileTooLarge, fault));
    }
    Ok(text)
}

struct Reading<'a> {
    path: PathBuf,
    text: &'a str,
}

impl Reading<'_> {
    fn file(self) -> Result<File, SettingsError> {
        let root = DeTable::parse(self.text).map_err(|error| SettingsError::Syntax {
            path: self.path.clone(),
            line: error.span().map_or(1, |span| self.line(&span)),
            fault: error.message().to_owned(),
        })?;
        let (mut profile, mut profiles, mut settings) = (None, BTreeMap::new(), Table::new());
        for (name, value) in root.get_ref() {
            let line = self.line(&name.span());
            match (name.get_ref().as_ref(), value.get_ref()) {
                ("profile", DeValue::String(chosen)) => profile = Some(chosen.clone().into_owned()),
                ("profile", other) => {
                    let expected = "the name of a profile, which is a table [profiles.NAME]";
                    return Err(self.unexpected(line, "profile", shown(other), expected.to_owned()));
                }
                ("profiles", DeValue::Table(tables)) => {
                    for (name, table) in tables {
                        let line = self.line(&name.span());
                        let name = name.get_ref().clone().into_owned();
                        let DeValue::Table(table) = table.get_ref() else {
                            let found = shown(table.get_ref());
                            return Err(self.unexpected(
                                line,
                                &name,
                                found,
                                "a table of settings".to_owned(),
                            ));
                        };
                        profiles.insert(name, self.table(table)?);
                    }
                }
                ("profiles", other) => {
                    return Err(self.unexpected(
                        line,
                        "profiles",
                        shown(other),
                        "tables of settings".to_owned(),
                    ));
                }
                (name, value) => {
                    let entry = self.entry(name, value, line)?;
                    settings.insert(name.to_owned(), entry);
                }
            }
        }
        Ok(File {
            path: self.path,
            profile,
            settings,
            profiles,
        })
    }

    fn table(&self, table: &DeTable<'_>) -> Result<Table, SettingsError> {
        let mut entries = Table::new();
        for (name, value) in table {
            let entry = self.entry(name.get_ref(), value.get_ref(), self.line(&name.span()))?;
            entries.insert(name.get_ref().clone().into_owned(), entry);
        }
        Ok(entries)
    }

    fn entry(&self, name: &str, value: &DeValue<'_>, line: usize) -> Result<Entry, SettingsError> {
        let Some(key) = key::named(name) else {
            let (path, key) = (self.path.clone(), name.to_owned());
            return Err(match SECRET.contains(&name) {
                true => SettingsError::Secret { path, line, key },
                false => SettingsError::Unknown {
                    path,
                    line,
                    key,
                    meant: key::alike(name),
                },
            });
        };
        let plain = plain(value);
        match plain
            .as_ref()
            .map_or(Err("what JSON can hold".to_owned()), key.check)
        {
            Ok(()) => Ok(Entry {
                value: plain.unwrap_or_default(),
                line,
            }),
            Err(expected) => Err(self.unexpected(line, name, shown(value), expected)),
        }
    }

    fn unexpected(&self, line: usize, key: &str, found: String, expected: String) -> SettingsError {
        SettingsError::Value {
            path: self.path.clone(),
            line,
            key: key.to_owned(),
            found,
            expected,
        }
    }

    fn line(&self, span: &Range<usize>) -> usize {
        let before = self.text.as_bytes().iter().take(span.start);
        1 + before.filter(|byte| **byte == b'\n').count()
    }
}

/// A value without its places; none of what JSON does not have.
fn plain(value: &DeValue<'_>) -> Option<Value> {
    Some(match value {
        DeValue::String(text) => text.as_ref().into(),
        DeValue::Boolean(said) => (*said).into(),
        DeValue::Integer(number) => {
            let (digits, radix) = (number.as_str(), number.radix());
            match u64::from_str_radix(digits, radix) {
                Ok(number) => number.into(),
                Err(_) => i64::from_str_radix(digits, radix).ok()?.into(),
            }
        }
        DeValue::Float(number) => {
            let number: f64 = number.as_str().parse().ok()?;
            serde_json::Number::from_f64(number)?.into()
        }
        DeValue::Array(items) => {
            let items: Option<Vec<Value>> = items.iter().map(|item| plain(item.get_ref())).collect();
            items?.into()
        }
        DeValue::Table(table) => {
            let mut map = Map::new();
            for (name, value) in table {
                map.insert(name.get_ref().clone().into_owned(), plain(value.get_ref())?);
            }
            map.into()
        }
        DeValue::Datetime(_) => return None,
    })
}

/// What stands there, briefly.
fn shown(value: &DeValue<'_>) -> String {
    match value {
        DeValue::String(text) => format!("{text:?}"),
        DeValue::Integer(number) => number.to_string(),
        DeValue::Float(number) => number.to_string(),
        DeValue::Boolean(said) => said.to_string(),
        DeValue::Datetime(_) => "a date".to_owned(),
        DeValue::Array(_) => "a list".to_owned(),
        DeValue::Table(_) => "a table".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<File, String> {
        let path = PathBuf::from("c.toml");
        Reading { path, text }.file().map_err(|error| error.to_string())
    }

    #[test]
    fn a_value_has_the_line_of_its_key() {
        let file =
            read("# mine\nmodel = \"demo\"\n\n[profiles.calm]\ntemperature = 0\n").expect("it is right");
        assert_eq!(file.entry(None, "model").map(|entry| entry.line), Some(2));
        assert_eq!(
            file.entry(Some("calm"), "temperature").map(|entry| entry.line),
            Some(5)
        );
        assert!(file.entry(Some("calm"), "model").is_none());
    }

    #[test]
    fn what_is_wrong_is_told_with_its_line_and_key() {
        for (text, said) in [
            ("model = 1", "c.toml:1: model is 1, expected the name of a model"),
            (
                "\n\ntemprature = 1",
                "c.toml:3: temprature is no setting; temperature is one",
            ),
            ("colour = 1", "c.toml:1: colour is no setting"),
            (
                "threads = 0",
                "c.toml:1: threads is 0, expected a whole number from 1 to 1024",
            ),
            (
                "temperature = \"warm\"",
                "c.toml:1: temperature is \"warm\", expected a finite number, 0 or more",
            ),
            (
                "temperature = inf",
                "c.toml:1: temperature is inf, expected what JSON can hold",
            ),
            (
                "stop = [1]",
                "c.toml:1: stop is a list, expected a text or a list of texts",
            ),
            (
                "seed = 1979-05-27",
                "c.toml:1: seed is a date, expected what JSON can hold",
            ),
            ("cache = \"f8\"", "c.toml:1: cache is \"f8\", expected f32 or f16"),
            (
                "[profile.calm]",
                "c.toml:1: profile is a table, expected the name of a profile, which is a table [profiles.NAME]",
            ),
            (
                "profiles = 1",
                "c.toml:1: profiles is 1, expected tables of settings",
            ),
            (
                "[profiles]\ncalm = 1",
                "c.toml:2: calm is 1, expected a table of settings",
            ),
            (
                "[profiles.calm]\nmodle = \"x\"",
                "c.toml:2: modle is no setting; model is one",
            ),
        ] {
            assert_eq!(read(text).map(|_| ()), Err(said.to_owned()), "{text}");
        }
        let secret = read("\napi_key = \"sk-1\"")
            .map(|_| ())
            .expect_err("it is secret");
        assert!(
            secret.starts_with("c.toml:2: api_key is a secret") && !secret.contains("sk-1"),
            "{secret}"
        );
    }

    #[test]
    fn what_is_no_toml_is_told_with_its_line() {
        for text in ["a = 1\nb = = 2", "a = 1\nmodel", "a = 1\n[profiles.x"] {
            let said = read(text).map(|_| ()).expect_err("it is wrong");
            assert!(said.starts_with("c.toml:2: "), "{said}");
        }
    }
}
