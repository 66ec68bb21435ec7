//! Settings of a remote provider, fixed for its lifetime.

use std::time::Duration;

use engine::EngineConfig;

use super::dialect::Dialect;
use super::error::RemoteError;
use super::secret::Secret;

/// Tokens of the context where neither the server nor the caller says how many there are.
pub const FALLBACK_CONTEXT: usize = 32_768;

/// Where a model is served and how it is asked.
#[derive(Clone, Debug)]
pub struct RemoteConfig {
    /// Addresses of servers of the same model, such as `http://host:8000`; at least one. A `/v1` at the end may be left
    /// out.
    pub endpoints: Vec<String>,
    /// Name of the model. Absent: the one that the server serves, if there is but one.
    pub model: Option<String>,
    /// Sent as a bearer token with every request, to every endpoint.
    pub api_key: Option<Secret>,
    /// Most tokens of prompt and answer together. Where the server tells as well, the fewer count; where neither does,
    /// [`FALLBACK_CONTEXT`].
    pub context_length: Option<usize>,
    /// What the server understands beyond OpenAI's fields. Absent: as the server's name of its owner tells.
    pub dialect: Option<Dialect>,
    /// How long the server may take for what.
    pub timeouts: Timeouts,
    /// How a request is tried again.
    pub retry: RetryPolicy,
    /// Admission, deadlines and clock of all requests together. Its breaker is what each endpoint gets one of; its name
    /// is that of the model.
    pub engine: EngineConfig,
}

/// No endpoint, up to 64 requests at once, 256 waiting, and the defaults of each part.
impl Default for RemoteConfig {
    fn default() -> Self {
        Self {
            endpoints: vec![],
            model: None,
            api_key: None,
            context_length: None,
            dialect: None,
            timeouts: Timeouts::default(),
            retry: RetryPolicy::default(),
            engine: EngineConfig {
                max_running: 64,
                max_waiting: 256,
                ..EngineConfig::default()
            },
        }
    }
}

impl RemoteConfig {
    /// The server at `endpoint`, with every other setting at its default.
    pub fn new(endpoint: impl Into<String>) -> Self {
        Self {
            endpoints: vec![endpoint.into()],
            ..Self::default()
        }
    }

    /// Checks every setting; gives the addresses back without `/v1` and slashes at their end.
    pub(crate) fn validate(&self) -> Result<Vec<String>, RemoteError> {
        let invalid = |field, value: String, expected| {
            Err(RemoteError::InvalidConfig {
                field,
                value,
                expected,
            })
        };
        if self.endpoints.is_empty() {
            return invalid("endpoints", "empty".to_owned(), "at least one address");
        }
        if self.model.as_deref() == Some("") {
            return invalid("model", "empty".to_owned(), "a name, or none");
        }
        if self.context_length == Some(0) {
            return invalid("context_length", "0".to_owned(), "at least 1");
        }
        let Timeouts {
            connect,
            first_byte,
            between_events,
        } = self.timeouts;
        if [connect, first_byte, between_events].contains(&Duration::ZERO) {
            return invalid("timeouts", "0".to_owned(), "more than no time");
        }
        self.endpoints.iter().map(|address| base(address)).collect()
    }
}

/// The address without `/v1` and slashes at its end.
fn base(address: &str) -> Result<String, RemoteError> {
    let invalid = |value: String, expected| RemoteError::InvalidConfig {
        field: "endpoints",
        value,
        expected,
    };
    let url = reqwest::Url::parse(address)
        .map_err(|_| invalid("no URL".to_owned(), "addresses such as http://host:8000"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid(
            format!("an address of scheme {:?}", url.scheme()),
            "http or https, and a host",
        ));
    }
    // It would stand in every message.
    if url.password().is_some() || !url.username().is_empty() {
        return Err(invalid(
            "an address with a user".to_owned(),
            "the key in api_key, not in the address",
        ));
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid(
            "an address with a query or a fragment".to_owned(),
            "an address that paths are put after",
        ));
    }
    let whole = url.as_str().trim_end_matches('/');
    let base = whole.strip_suffix("/v1").unwrap_or(whole);
    Ok(base.trim_end_matches('/').to_owned())
}

/// How long a server may take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Timeouts {
    /// Until a connection is there.
    pub connect: Duration,
    /// From the request to the first event of the answer, or to the whole of one that is not streamed: waiting in the
    /// server's queue and reading the prompt are part of it.
    pub first_byte: Duration,
    /// From one event to the next, comments included.
    pub between_events: Duration,
}

/// Ten seconds, five minutes, one minute.
impl Default for Timeouts {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            first_byte: Duration::from_secs(300),
            between_events: Duration::from_secs(60),
        }
    }
}

/// How a request is tried again that failed before its first token. Each time all endpoints are tried, one after the
/// other and without a pause between them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryPolicy {
    /// How often it is tried again.
    pub retries: u32,
    /// The pause before the first of these; it doubles from one to the next. Up to a half of each is left out by chance,
    /// so that many callers do not come back at once.
    pub pause: Duration,
    /// The longest pause.
    pub longest_pause: Duration,
    /// The longest pause that a server may ask for; where it asks for more, the request fails at once.
    pub longest_retry_after: Duration,
}

/// Two retries, half a second, ten seconds, half a minute.
impl Default for RetryPolicy {
    fn default() -> Self {
        Self {
            retries: 2,
            pause: Duration::from_millis(500),
            longest_pause: Duration::from_secs(10),
            longest_retry_after: Duration::from_secs(30),
        }
    }
}

impl RetryPolicy {
    /// The pause before retry `index`, from 0; `chance` is at least 0 and below 1.
    pub(crate) fn pause_before(&self, index: u32, chance: f64) -> Duration {
        let doubled = self
            .pause
            .saturating_mul(1_u32.checked_shl(index).unwrap_or(u32::MAX));
        doubled.min(self.longest_pause).mul_f64(1.0 - chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_taken_with_and_without_their_version() {
        for (address, expected) in [
            ("http://host:8000", "http://host:8000"),
            ("http://host:8000/", "http://host:8000"),
            ("http://host:8000/v1", "http://host:8000"),
            ("https://host/openai/v1/", "https://host/openai"),
        ] {
            assert_eq!(base(address).unwrap(), expected);
        }
    }

    #[test]
    fn addresses_that_cannot_be_asked_are_refused_without_being_shown() {
        for address in [
            "host:8000",
            "localhost",
            "ftp://host",
            "http://me:hidden@host",
            "http://host/v1?key=hidden",
        ] {
            let error = base(address).unwrap_err().to_string();
            assert!(!error.contains("hidden"), "{error}");
        }
    }

    #[test]
    fn settings_out_of_range_are_named() {
        let config = || RemoteConfig::new("http://host");
        let named = |config: RemoteConfig| config.validate().unwrap_err().to_string();
        assert!(
            named(RemoteConfig {
                endpoints: vec![],
                ..config()
            })
            .contains("endpoints")
        );
        assert!(
            named(RemoteConfig {
                model: Some(String::new()),
                ..config()
            })
            .contains("model")
        );
        assert!(
            named(RemoteConfig {
                context_length: Some(0),
                ..config()
            })
            .contains("context_length")
        );
        let timeouts = Timeouts {
            connect: Duration::ZERO,
            ..Timeouts::default()
        };
        assert!(named(RemoteConfig { timeouts, ..config() }).contains("timeouts"));
    }

    #[test]
    fn pauses_double_up_to_the_longest() {
        let policy = RetryPolicy::default();
        let pauses = [0, 1, 2, 10, 40].map(|index| policy.pause_before(index, 0.0).as_millis());
        assert_eq!(pauses, [500, 1_000, 2_000, 10_000, 10_000]);
        assert_eq!(policy.pause_before(0, 0.5).as_millis(), 375);
    }
}
