//! A secret: an API key that no log, error or `Debug` shows.

use std::fmt;

use super::error::RemoteError;

/// An API key. It has no `Display`, and its `Debug` does not show it.
#[derive(Clone, PartialEq, Eq)]
pub struct Secret(String);

impl Secret {
    /// This key, without white space around it.
    pub fn new(key: impl Into<String>) -> Self {
        Self(key.into().trim().to_owned())
    }

    /// The key that the environment variable `variable` holds.
    ///
    /// # Errors
    ///
    /// [`RemoteError::NoKey`] where it is not set, empty or no Unicode.
    pub fn from_env(variable: &str) -> Result<Self, RemoteError> {
        let key = std::env::var(variable).map(Self::new);
        match key {
            Ok(key) if !key.0.is_empty() => Ok(key),
            _ => Err(RemoteError::NoKey {
                variable: variable.to_owned(),
            }),
        }
    }

    /// The key itself, for the one header that carries it.
    pub(crate) fn expose(&self) -> &str {
        &self.0
    }

    /// `text` with every occurrence of the key taken out: servers repeat what they were sent.
    pub(crate) fn hide_in(&self, text: &str) -> String {
        if self.0.is_empty() {
            return text.to_owned();
        }
        text.replace(&self.0, "[key]")
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_is_shown_nowhere() {
        let secret = Secret::new(" sk-123\n");
        assert_eq!(secret.expose(), "sk-123");
        assert_eq!(format!("{secret:?} {secret:#?}"), "Secret Secret");
        assert_eq!(secret.hide_in("bad key sk-123, sk-123!"), "bad key [key], [key]!");
        assert_eq!(Secret::new("").hide_in("as it is"), "as it is");
    }

    #[test]
    fn a_variable_that_is_not_set_is_named() {
        let error = Secret::from_env("NO_SUCH_VARIABLE_OF_WICK").unwrap_err();
        assert_eq!(
            error.to_string(),
            "the environment variable NO_SUCH_VARIABLE_OF_WICK holds no API key"
        );
    }
}
