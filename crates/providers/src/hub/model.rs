//! The name of a model on a hub: `owner/name@revision:PATTERN`.

use std::fmt;
use std::str::FromStr;

use super::HubError;

/// The revision where none is named.
const MAIN: &str = "main";

/// A model of a hub: a repository, a revision of it, and which of its files are meant.
///
/// Written `owner/name`, `owner/name:Q4_K_M`, `owner/name@revision` or `owner/name@revision:PATTERN`. The pattern is a
/// word in a file's or folder's name such as a quantization, a glob with `*` and `?`, or a file's path.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct HubModel {
    owner: String,
    name: String,
    revision: String,
    pattern: Option<String>,
}

impl HubModel {
    /// `owner/name`.
    pub fn repository(&self) -> String {
        format!("{}/{}", self.owner, self.name)
    }

    /// Name of its folder in a cache.
    pub(super) fn folder(&self) -> String {
        format!("models--{}--{}", self.owner, self.name)
    }

    /// A branch, a tag or a commit.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Whether it names a revision of its own, and not the usual one.
    pub(super) fn has_own_revision(&self) -> bool {
        self.revision != MAIN
    }

    /// Which of the repository's files are meant, where it says so.
    pub fn pattern(&self) -> Option<&str> {
        self.pattern.as_deref()
    }

    /// The model in a cache's folder of this name.
    pub(super) fn of_folder(folder: &str) -> Option<Self> {
        let (owner, name) = folder.strip_prefix("models--")?.split_once("--")?;
        format!("{owner}/{name}").parse().ok()
    }

    /// The same repository with this pattern.
    #[must_use]
    pub fn with_pattern(&self, pattern: &str) -> Self {
        Self {
            pattern: Some(pattern.to_owned()),
            ..self.clone()
        }
    }
}

impl FromStr for HubModel {
    type Err = HubError;

    fn from_str(text: &str) -> Result<Self, HubError> {
        let invalid = |fault| HubError::InvalidModel {
            text: text.to_owned(),
            fault,
        };
        let (repository, pattern) = match text.split_once(':') {
            Some((repository, pattern)) => (repository, Some(pattern)),
            None => (text, None),
        };
        let (repository, revision) = match repository.split_once('@') {
            Some((repository, revision)) => (repository, revision),
            None => (repository, MAIN),
        };
        let Some((owner, name)) = repository.split_once('/') else {
            return Err(invalid("it is not OWNER/NAME"));
        };
        if !is_name(owner) || !is_name(name) {
            return Err(invalid("owner and name are of A-Z, a-z, 0-9, -, _ and ."));
        }
        if !is_path(revision) {
            return Err(invalid("its revision is no name of one"));
        }
        if pattern.is_some_and(|pattern| !is_path(pattern)) {
            return Err(invalid("its pattern is no word, glob or path"));
        }
        Ok(Self {
            owner: owner.to_owned(),
            name: name.to_owned(),
            revision: revision.to_owned(),
            pattern: pattern.map(str::to_owned),
        })
    }
}

impl fmt::Display for HubModel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)?;
        if self.revision != MAIN {
            write!(f, "@{}", self.revision)?;
        }
        match &self.pattern {
            Some(pattern) => write!(f, ":{pattern}"),
            None => Ok(()),
        }
    }
}

/// Whether `name` can name an owner or a repository, and so a folder of the cache.
fn is_name(name: &str) -> bool {
    let letters = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    (1..=96).contains(&name.len())
        && name.bytes().all(letters)
        && !name.starts_with(['.', '-'])
        && !name.contains("..")
        && !name.contains("--")
}

/// Whether `path` stays where it is put.
pub(super) fn is_path(path: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    path.len() <= 512
        && path.split('/').all(part)
        && !path.contains(['\\', '\0', ':'])
        && !path.chars().any(char::is_control)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_repository_revision_and_pattern() {
        for (text, repository, revision, pattern) in [
            ("Qwen/Qwen3-0.6B", "Qwen/Qwen3-0.6B", "main", None),
            (
                "unsloth/Kimi-K2-Instruct-GGUF:Q4_K_M",
                "unsloth/Kimi-K2-Instruct-GGUF",
                "main",
                Some("Q4_K_M"),
            ),
            ("a/b@refs/pr/1:x/*.gguf", "a/b", "refs/pr/1", Some("x/*.gguf")),
        ] {
            let model: HubModel = text.parse().unwrap();
            assert_eq!(
                (
                    model.repository().as_str(),
                    model.revision(),
                    model.pattern(),
                    model.to_string().as_str()
                ),
                (repository, revision, pattern, text)
            );
        }
    }

    #[test]
    fn a_name_that_leads_elsewhere_is_refused_with_itself() {
        for text in [
            "",
            "a",
            "a/",
            "/b",
            "a/b/c",
            "../b",
            "a/..",
            "a/b:",
            "a/b@",
            "a/b:../c",
            "a/b@x//y",
            "a b/c",
            "a--b/c",
            "a/b:c:d",
            "a/b:/etc/passwd",
            "https://example.org/a",
        ] {
            let error = text.parse::<HubModel>().unwrap_err().to_string();
            assert!(
                error.starts_with(&format!("{text:?} is no model of a hub")),
                "{error}"
            );
        }
    }
}
