//! Requests to a hub, with every wait and every length bounded.
//!
//! Redirections are followed by hand: the token goes to the hub's own address alone.

use std::future::Future;
use std::sync::Once;
use std::time::Duration;

use reqwest::header::{AUTHORIZATION, LINK, LOCATION, RANGE, RETRY_AFTER};
use reqwest::{Client, Response, Url};
use serde::Deserialize;
use tokio::runtime::Runtime;

use super::{Cancel, HubError, HubFile, HubModel, HubSettings};

/// Bytes that an answer of the API may have.
const MAX_ANSWER: usize = 64 << 20;
/// Answers that the list of a repository may have.
const MAX_PAGES: usize = 1000;
/// Redirections from the hub to where a file lies.
const MAX_HOPS: usize = 10;
/// The longest wait that a hub may ask for; what is more is told to the caller.
const MAX_WAIT: Duration = Duration::from_secs(60);
/// The first wait after a failure, doubled with each.
const FIRST_WAIT: Duration = Duration::from_millis(250);

/// What asks a hub.
#[derive(Debug)]
pub(super) struct Http {
    client: Client,
    /// Present until this is dropped.
    runtime: Option<Runtime>,
    endpoint: Url,
    settings: HubSettings,
}

/// Why one attempt failed.
pub(super) enum Failed {
    /// Another attempt may succeed, after this wait where the hub names one.
    Again(HubError, Option<Duration>),
    /// None will.
    Final(HubError),
}

impl From<HubError> for Failed {
    fn from(error: HubError) -> Self {
        Self::Final(error)
    }
}

impl Http {
    pub(super) fn new(settings: &HubSettings) -> Result<Self, HubError> {
        // `reqwest` takes its ciphers from the process; a program that has chosen others keeps them.
        static CIPHERS: Once = Once::new();
        CIPHERS.call_once(|| {
            let _ = rustls::crypto::ring::default_provider().install_default();
        });
        let client = Client::builder()
            .connect_timeout(settings.patience)
            .read_timeout(settings.patience)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("wick/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|error| HubError::Client(error.into()))?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let endpoint = Url::parse(&settings.endpoint).map_err(|error| HubError::Client(error.into()))?;
        Ok(Self {
            client,
            runtime: Some(runtime.map_err(|error| HubError::Client(error.into()))?),
            endpoint,
            settings: settings.clone(),
        })
    }

    /// Runs `work` to its end, on a thread of its own: the caller's may belong to a runtime.
    pub(super) fn wait<T, F>(&self, work: impl FnOnce() -> F + Send) -> Result<T, HubError>
    where
        T: Send,
        F: Future<Output = Result<T, HubError>>,
    {
        std::thread::scope(|scope| {
            let waiting = scope.spawn(|| Some(self.runtime.as_ref()?.block_on(async { work().await })));
            waiting.join().ok().flatten().unwrap_or_else(|| {
                Err(HubError::Answer {
                    what: self.settings.endpoint.clone(),
                    fault: "reading it panicked".to_owned(),
                })
            })
        })
    }

    /// The commit of the model's revision, and all files of its repository.
    pub(super) fn files(&self, model: &HubModel) -> Result<(String, Vec<HubFile>), HubError> {
        self.wait(|| async {
            let (repository, revision) = (model.repository(), model.revision());
            let revision = revision.replace('/', "%2F");
            let base = format!("{}/api/models/{repository}", self.settings.endpoint);
            let (told, _): (Revision, _) = self.json(model, &format!("{base}/revision/{revision}")).await?;
            let mut files = Vec::new();
            let mut next = Some(format!("{base}/tree/{}?recursive=true&expand=false", told.sha));
            for _ in 0..MAX_PAGES {
                let Some(url) = next.take() else { break };
                let (page, further): (Vec<Entry>, _) = self.json(model, &url).await?;
                files.extend(page.into_iter().filter_map(Entry::file));
                next = further;
            }
            let is_name = |name: &str| {
                !name.is_empty() && name.len() <= 64 && name.bytes().all(|byte| byte.is_ascii_alphanumeric())
            };
            let named = std::iter::once(told.sha.as_str()).chain(files.iter().map(|file| file.blob.as_str()));
            if let Some(odd) = named.into_iter().find(|name| !is_name(name)) {
                return Err(HubError::Answer {
                    what: model.to_string(),
                    fault: format!("{odd:?} is no checksum"),
                });
            }
            Ok((told.sha, files))
        })
    }

    /// The answer of the API at `url`, and where it goes on.
    async fn json<T: for<'de> Deserialize<'de>>(
        &self,
        model: &HubModel,
        url: &str,
    ) -> Result<(T, Option<String>), HubError> {
        let what = model.to_string();
        let cancel = Cancel::new();
        let body = self.retry(&cancel, async |_| {
            let mut response = self.get(url, 0, &what).await?;
            let next = next_page(&response);
            let mut body = Vec::new();
            while let Some(chunk) = response.chunk().await.map_err(|error| broken(&what, error))? {
                body.extend_from_slice(&chunk);
                if body.len() > MAX_ANSWER {
                    return Err(Failed::Final(HubError::Answer {
                        what: what.clone(),
                        fault: format!("it has more than {MAX_ANSWER} bytes"),
                    }));
                }
            }
            Ok((body, next))
        });
        let (body, next) = body.await?;
        match serde_json::from_slice(&body) {
            Ok(told) => Ok((told, next)),
            Err(error) => Err(HubError::Answer {
                what,
                fault: error.to_string(),
            }),
        }
    }

    /// The file of a commit, from byte `from` on.
    pub(super) async fn file(
        &self,
        model: &HubModel,
        commit: &str,
        file: &HubFile,
        from: u64,
    ) -> Result<Response, Failed> {
        let mut url = self.endpoint.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            let repository = model.repository();
            path.pop_if_empty().extend(repository.split('/'));
            path.push("resolve").push(commit).extend(file.path.split('/'));
        }
        let what = format!("{} of {}", file.path, model.repository());
        self.get(url.as_str(), from, &what).await
    }

    /// Attempts until one succeeds, one fails for good, or too many in a row have gained nothing. `attempt` says of a
    /// failure whether it gained something.
    pub(super) async fn retry<T>(
        &self,
        cancel: &Cancel,
        mut attempt: impl AsyncFnMut(&mut bool) -> Result<T, Failed>,
    ) -> Result<T, HubError> {
        let (mut failures, mut wait) = (0, FIRST_WAIT);
        loop {
            let mut gained = false;
            let (error, wanted) = match attempt(&mut gained).await {
                Ok(done) => return Ok(done),
                Err(Failed::Final(error)) => return Err(error),
                Err(Failed::Again(error, wanted)) => (error, wanted),
            };
            if gained {
                (failures, wait) = (0, FIRST_WAIT);
            }
            failures += 1;
            if failures >= self.settings.attempts || wanted.is_some_and(|wanted| wanted > MAX_WAIT) {
                return Err(error);
            }
            let until = tokio::time::Instant::now() + wanted.unwrap_or(wait);
            while tokio::time::Instant::now() < until {
                if cancel.is_cancelled() {
                    return Err(HubError::Cancelled);
                }
                let step = tokio::time::Instant::now() + Duration::from_millis(50);
                tokio::time::sleep_until(until.min(step)).await;
            }
            wait = (wait * 2).min(MAX_WAIT);
        }
    }

    /// A success at `url`, wherever it leads.
    async fn get(&self, url: &str, from: u64, what: &str) -> Result<Response, Failed> {
        let senseless = |fault: String| {
            Failed::Final(HubError::Answer {
                what: what.to_owned(),
                fault,
            })
        };
        let mut url = Url::parse(url).map_err(|error| senseless(error.to_string()))?;
        for _ in 0..MAX_HOPS {
            let mut request = self.client.get(url.clone());
            if let Some(token) = self.settings.token.as_ref().filter(|_| self.is_own(&url)) {
                request = request.header(AUTHORIZATION, token.bearer());
            }
            if from > 0 {
                request = request.header(RANGE, format!("bytes={from}-"));
            }
            let response = request.send().await.map_err(|error| broken(what, error))?;
            if !response.status().is_redirection() {
                return self.judged(response, what);
            }
            let to = response.headers().get(LOCATION).and_then(|to| to.to_str().ok());
            let to = to.ok_or_else(|| senseless("it leads nowhere".to_owned()))?;
            let to = url.join(to).map_err(|error| senseless(error.to_string()))?;
            if to.scheme() != "https" && url.scheme() == "https" {
                return Err(senseless("it leads from https to something else".to_owned()));
            }
            url = to;
        }
        Err(senseless(format!("it leads on more than {MAX_HOPS} times")))
    }

    /// Whether an address is the hub's own.
    fn is_own(&self, url: &Url) -> bool {
        url.origin() == self.endpoint.origin()
    }

    fn judged(&self, response: Response, what: &str) -> Result<Response, Failed> {
        let status = response.status();
        if status.is_success() || status.as_u16() == 416 {
            return Ok(response);
        }
        let header = |name: &str| response.headers().get(name).and_then(|value| value.to_str().ok());
        let what = what.to_owned();
        let code = header("x-error-code").unwrap_or_default();
        let missing = match code {
            "RevisionNotFound" => Some("such revision of"),
            "EntryNotFound" => Some("such file:"),
            "RepoNotFound" if self.settings.token.is_some() => Some("repository"),
            _ if status.as_u16() == 404 => Some("repository, revision or file"),
            _ => None,
        };
        Err(match status.as_u16() {
            _ if missing.is_some() => Failed::Final(HubError::NotFound {
                what: format!("{} {what}", missing.unwrap_or_default()),
            }),
            401 | 403 => Failed::Final(HubError::Unauthorized {
                what,
                token: self.settings.token.is_some(),
            }),
            429 => {
                let wait = header(RETRY_AFTER.as_str()).and_then(|text| text.trim().parse().ok());
                let wait = wait.map(Duration::from_secs);
                let error = HubError::RateLimited {
                    wait: wait.unwrap_or(FIRST_WAIT),
                };
                Failed::Again(error, wait)
            }
            status @ (408 | 500..) => Failed::Again(HubError::Status { status, what }, None),
            status => Failed::Final(HubError::Status { status, what }),
        })
    }
}

/// In the background: where a task drops it, waiting is not allowed.
impl Drop for Http {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// A connection that broke.
pub(super) fn broken(what: &str, error: reqwest::Error) -> Failed {
    Failed::Again(
        HubError::Network {
            what: what.to_owned(),
            // Addresses of files are signed: they are not shown.
            source: error.without_url().into(),
        },
        None,
    )
}

/// The address in the header that says where a list goes on.
fn next_page(response: &Response) -> Option<String> {
    let links = response.headers().get(LINK)?.to_str().ok()?;
    let next = links.split(',').find(|link| link.contains("rel=\"next\""))?;
    let (_, rest) = next.split_once('<')?;
    rest.split_once('>').map(|(url, _)| url.to_owned())
}

/// What the API says of a revision.
#[derive(Deserialize)]
struct Revision {
    sha: String,
}

/// An entry of the list of a repository.
#[derive(Deserialize)]
struct Entry {
    #[serde(rename = "type")]
    kind: String,
    path: String,
    #[serde(default)]
    size: u64,
    #[serde(default)]
    oid: String,
    lfs: Option<Large>,
}

#[derive(Deserialize)]
struct Large {
    oid: String,
    size: u64,
}

impl Entry {
    fn file(self) -> Option<HubFile> {
        if self.kind != "file" {
            return None;
        }
        Some(match self.lfs {
            Some(Large { oid, size }) => HubFile {
                path: self.path,
                bytes: size,
                hashed: oid.len() == 64,
                blob: oid,
            },
            None => HubFile {
                path: self.path,
                bytes: self.size,
                blob: self.oid,
                hashed: false,
            },
        })
    }
}
