//! Types of settings: how each is read from a file and from a variable, and how it is shown.

use std::ffi::OsString;
use std::num::NonZeroUsize;
use std::path::{Path, PathBuf};

use clap::ValueEnum;
use engine::ToolChoice;
use providers::{FAMILIES, Family};
use serde_json::{Value, json};

use super::place::home;
use super::range;
use crate::arguments::{Cache, Computing, MOST_THREADS, family, threads, tool_choice};

/// A type of setting.
pub(crate) trait Setting: Sized {
    /// What it may be.
    fn expected() -> String;

    /// Reads what stands in a file; none if it is something else.
    fn of_value(value: &Value) -> Option<Self>;

    /// Reads a variable of the environment; none if it is something else.
    fn of_text(text: &str) -> Option<Self>;

    /// As a value of JSON.
    fn shown(&self) -> Value;

    /// The same, said in a file of `folder`.
    fn based(self, _folder: &Path) -> Self {
        self
    }
}

/// How a model is named: by a path, or as a hub or a server names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ModelName(pub(crate) PathBuf);

impl From<OsString> for ModelName {
    fn from(name: OsString) -> Self {
        Self(name.into())
    }
}

impl Setting for ModelName {
    fn expected() -> String {
        "the name of a model".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_str().and_then(Self::of_text)
    }

    fn of_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| Self(text.into()))
    }

    fn shown(&self) -> Value {
        self.0.to_string_lossy().into()
    }

    /// A name is one to the letter; only what can be nothing but a path is one.
    fn based(self, folder: &Path) -> Self {
        let first = self.0.components().next();
        match first {
            Some(std::path::Component::Normal(name)) if name != "~" => self,
            _ => Self(self.0.based(folder)),
        }
    }
}

/// Relative to the folder of the file that says it; `~/` is the home.
impl Setting for PathBuf {
    fn expected() -> String {
        "a path".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_str().and_then(Self::of_text)
    }

    fn of_text(text: &str) -> Option<Self> {
        (!text.is_empty()).then(|| text.into())
    }

    fn shown(&self) -> Value {
        self.to_string_lossy().into()
    }

    fn based(self, folder: &Path) -> Self {
        match (self.strip_prefix("~"), home()) {
            (Ok(below), Some(home)) => home.join(below),
            _ => folder.join(self),
        }
    }
}

impl Setting for String {
    fn expected() -> String {
        "a text".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_str().map(str::to_owned)
    }

    fn of_text(text: &str) -> Option<Self> {
        Some(text.to_owned())
    }

    fn shown(&self) -> Value {
        self.as_str().into()
    }
}

/// One text alone, or a list of them; in a variable, a list is one of JSON.
impl Setting for Vec<String> {
    fn expected() -> String {
        "a text or a list of texts".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        match value {
            Value::String(one) => Some(vec![one.clone()]),
            Value::Array(many) => many.iter().map(String::of_value).collect(),
            _ => None,
        }
    }

    fn of_text(text: &str) -> Option<Self> {
        match text.starts_with('[') {
            true => Self::of_value(&serde_json::from_str(text).ok()?),
            false => Some(vec![text.to_owned()]),
        }
    }

    fn shown(&self) -> Value {
        json!(self)
    }
}

impl Setting for bool {
    fn expected() -> String {
        "true or false".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_bool()
    }

    fn of_text(text: &str) -> Option<Self> {
        match text {
            "true" | "1" => Some(true),
            "false" | "0" => Some(false),
            _ => None,
        }
    }

    fn shown(&self) -> Value {
        (*self).into()
    }
}

impl Setting for u32 {
    fn expected() -> String {
        format!("a whole number from 0 to {}", Self::MAX)
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_u64()?.try_into().ok()
    }

    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Value {
        (*self).into()
    }
}

impl Setting for u64 {
    fn expected() -> String {
        "a whole number, 0 or more".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_u64()
    }

    fn of_text(text: &str) -> Option<Self> {
        text.parse().ok()
    }

    fn shown(&self) -> Value {
        (*self).into()
    }
}

/// A count of threads.
impl Setting for NonZeroUsize {
    fn expected() -> String {
        format!("a whole number from 1 to {MOST_THREADS}")
    }

    fn of_value(value: &Value) -> Option<Self> {
        Self::of_text(&value.as_u64()?.to_string())
    }

    fn of_text(text: &str) -> Option<Self> {
        threads(text).ok()
    }

    fn shown(&self) -> Value {
        self.get().into()
    }
}

impl Setting for f32 {
    fn expected() -> String {
        "a finite number, 0 or more".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        Self::of_text(&value.as_f64()?.to_string())
    }

    fn of_text(text: &str) -> Option<Self> {
        let number = text.parse::<Self>().ok();
        number.filter(|number| number.is_finite() && *number >= 0.0)
    }

    fn shown(&self) -> Value {
        range::shown(*self)
    }
}

/// Variables of a chat template.
impl Setting for Vec<(String, Value)> {
    fn expected() -> String {
        "a table of variables".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        let variables = value.as_object()?.iter();
        Some(
            variables
                .map(|(name, value)| (name.clone(), value.clone()))
                .collect(),
        )
    }

    fn of_text(text: &str) -> Option<Self> {
        Self::of_value(&serde_json::from_str(text).ok()?)
    }

    fn shown(&self) -> Value {
        self.iter().cloned().collect::<serde_json::Map<_, _>>().into()
    }
}

impl Setting for &'static Family {
    fn expected() -> String {
        format!("one of {}", FAMILIES.map(|family| family.name).join(", "))
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_str().and_then(Self::of_text)
    }

    fn of_text(text: &str) -> Option<Self> {
        family(text).ok()
    }

    fn shown(&self) -> Value {
        self.name.into()
    }
}

impl Setting for ToolChoice {
    fn expected() -> String {
        "auto, none, required, or the name of a tool".to_owned()
    }

    fn of_value(value: &Value) -> Option<Self> {
        value.as_str().and_then(Self::of_text)
    }

    fn of_text(text: &str) -> Option<Self> {
        tool_choice(text).ok()
    }

    fn shown(&self) -> Value {
        match self {
            Self::Auto => "auto",
            Self::None => "none",
            Self::Required => "required",
            Self::Named(name) => name,
        }
        .into()
    }
}

/// A setting that is one of a few words.
macro_rules! words {
    ($type:ty) => {
        impl Setting for $type {
            fn expected() -> String {
                let words: Vec<_> = Self::value_variants().iter().map(word).collect();
                words.join(" or ")
            }

            fn of_value(value: &Value) -> Option<Self> {
                value.as_str().and_then(Self::of_text)
            }

            fn of_text(text: &str) -> Option<Self> {
                Self::from_str(text, false).ok()
            }

            fn shown(&self) -> Value {
                word(self).into()
            }
        }
    };
}

words!(Cache);
words!(Computing);

/// How a value is written.
fn word<T: ValueEnum>(value: &T) -> String {
    let named = value.to_possible_value();
    named.map_or_else(String::new, |named| named.get_name().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_out_of_its_range_is_none() {
        assert_eq!(NonZeroUsize::of_text("0"), None);
        assert_eq!(NonZeroUsize::of_value(&json!(1025)), None);
        assert_eq!(f32::of_value(&json!(-0.5)), None);
        assert_eq!(f32::of_text("NaN"), None);
        assert_eq!(u32::of_value(&json!(4_294_967_296_u64)), None);
        assert_eq!(u32::of_value(&json!(1.5)), None);
        assert_eq!(bool::of_text("maybe"), None);
        assert_eq!(Vec::<String>::of_value(&json!(["a", 1])), None);
    }

    #[test]
    fn a_number_is_shown_as_it_was_written() {
        assert_eq!(f32::of_value(&json!(0.7)).map(|t| t.shown()), Some(json!(0.7)));
        assert_eq!(f32::of_text("1").map(|t| t.shown()), Some(json!(1.0)));
    }

    #[test]
    fn only_a_path_is_of_the_files_folder() {
        let folder = Path::new("/etc/wick");
        let model = |name: &str| ModelName(name.into()).based(folder).0;
        assert_eq!(model("demo"), Path::new("demo"));
        assert_eq!(model("owner/name:Q4_K_M"), Path::new("owner/name:Q4_K_M"));
        assert_eq!(model("./m.gguf"), Path::new("/etc/wick/./m.gguf"));
        assert_eq!(model("/m.gguf"), Path::new("/m.gguf"));
        assert_eq!(
            PathBuf::from("t.json").based(folder),
            Path::new("/etc/wick/t.json")
        );
    }

    #[test]
    fn a_list_may_be_one_text() {
        let list = Vec::<String>::of_text;
        assert_eq!(list("a b"), Some(vec!["a b".to_owned()]));
        assert_eq!(list(r#"["a", "b"]"#), Some(vec!["a".to_owned(), "b".to_owned()]));
        assert_eq!(list("[a"), None);
    }
}
