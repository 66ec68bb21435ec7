//! Which hub, which cache, which token: what the environment says, or a program.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

/// The hub where none is named.
const ENDPOINT: &str = "https://huggingface.co";

/// A secret that goes into one header and is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// The token of this text; none where it is blank.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty()).then(|| Self(text.to_owned()))
    }

    pub(super) fn bearer(&self) -> String {
        format!("Bearer {}", self.0)
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Token(..)")
    }
}

/// How a hub is used.
#[derive(Clone, Debug)]
pub struct HubSettings {
    /// The hub's address, without a slash at its end.
    pub endpoint: String,
    /// The folder that models are kept in.
    pub cache: PathBuf,
    /// Who asks.
    pub token: Option<Token>,
    /// Whether only what is cached may be used.
    pub offline: bool,
    /// How long a connection may say nothing.
    pub patience: Duration,
    /// Attempts that may fail one after another without a byte gained.
    pub attempts: u32,
}

impl HubSettings {
    /// What the environment says, in the variables of Hugging Face's libraries: `HF_ENDPOINT`; `HF_HUB_CACHE`, else `hub` in
    /// `HF_HOME`, else in `~/.cache/huggingface`; `HF_TOKEN`, else the file `token` in that home; `HF_HUB_OFFLINE`.
    pub fn from_environment() -> Self {
        Self::from_variables(|name| std::env::var(name).ok().filter(|value| !value.is_empty()))
    }

    fn from_variables(variable: impl Fn(&str) -> Option<String>) -> Self {
        let home = variable("HF_HOME").map(PathBuf::from).unwrap_or_else(|| {
            let caches = variable("XDG_CACHE_HOME").map(PathBuf::from);
            let caches = caches.or_else(|| {
                let home = variable("HOME").or_else(|| variable("USERPROFILE"))?;
                Some(PathBuf::from(home).join(".cache"))
            });
            caches
                .unwrap_or_else(|| PathBuf::from(".cache"))
                .join("huggingface")
        });
        let filed = || std::fs::read_to_string(home.join("token")).ok();
        let offline = variable("HF_HUB_OFFLINE")
            .is_some_and(|value| ["1", "true", "yes", "on"].contains(&value.to_ascii_lowercase().as_str()));
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        Self {
            endpoint: endpoint.trim_end_matches('/').to_owned(),
            cache: variable("HF_HUB_CACHE").map_or_else(|| home.join("hub"), PathBuf::from),
            token: variable("HF_TOKEN")
                .or_else(filed)
                .as_deref()
                .and_then(Token::new),
            offline,
            patience: Duration::from_secs(30),
            attempts: 5,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(variables: &[(&str, &str)]) -> HubSettings {
        HubSettings::from_variables(|name| {
            let found = variables.iter().find(|(of, _)| *of == name);
            found.map(|(_, value)| (*value).to_owned())
        })
    }

    #[test]
    fn the_environment_says_where_things_are() {
        let home = tempfile::tempdir().unwrap();
        let at = home.path().to_str().unwrap();
        std::fs::write(home.path().join("token"), "hf_filed\n").unwrap();
        let settings = with(&[
            ("HF_HOME", at),
            ("HF_ENDPOINT", "http://localhost:1/"),
            ("HF_HUB_OFFLINE", "1"),
        ]);
        assert_eq!(settings.endpoint, "http://localhost:1");
        assert_eq!(settings.cache, home.path().join("hub"));
        assert_eq!(settings.token, Token::new("hf_filed"));
        assert!(settings.offline);
        let settings = with(&[("HF_HOME", at), ("HF_TOKEN", "hf_said"), ("HF_HUB_CACHE", "/c")]);
        assert_eq!(
            (settings.token, settings.cache),
            (Token::new("hf_said"), PathBuf::from("/c"))
        );
        let settings = with(&[("HOME", "/home/x")]);
        assert_eq!(settings.cache, PathBuf::from("/home/x/.cache/huggingface/hub"));
        assert_eq!((settings.endpoint.as_str(), settings.offline), (ENDPOINT, false));
    }

    #[test]
    fn a_token_is_never_shown() {
        let settings = with(&[("HF_TOKEN", "hf_secret")]);
        assert!(!format!("{settings:?}").contains("hf_secret"));
    }
}
