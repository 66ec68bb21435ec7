//! What a role remembers: the store, and what of it is shown to the model with a message.
//!
//! **What is recalled stands in the prompt alone**, before the message that it was recalled for: neither the message nor
//! the system prompt is changed, and nothing of it is stored. It stays with its message while the chat lasts, so that
//! later prompts begin as earlier ones did, and is not recalled a second time while it is shown.

use std::error::Error as _;
use std::fmt;
use std::fmt::Write as _;
use std::sync::Arc;

use crate::errand::Errand;
use crate::memory::{ConversationId, Embedder, Memory, MemoryError, Origin, Query, Recalled};
use crate::tool::outcome::cut;

/// What lies before recalled texts in a prompt.
const OPENING: &str = "[Recalled from memory; it may or may not matter here]";
/// What lies behind them.
const CLOSING: &str = "[End of what was recalled]";
/// Texts that lack a vector and get one before something is recalled.
const LATE: usize = 32;

/// What a role remembers.
#[derive(Clone)]
pub struct MemoryPolicy {
    /// Where conversations and facts are kept.
    pub store: Arc<dyn Memory>,
    /// Whether turns are kept there.
    pub keep: bool,
    /// Whether facts are recalled.
    pub facts: bool,
    /// Whether turns are recalled: those of other conversations, and those of this one that are not shown any more.
    pub turns: bool,
    /// Texts that are recalled for one message at most; 0 recalls nothing.
    pub most: usize,
    /// Bytes of each text that are shown; the rest is cut.
    pub bytes: usize,
    /// What makes vectors of texts, for recall by meaning beside that by words.
    pub embedder: Option<Arc<dyn Embedder>>,
}

impl MemoryPolicy {
    /// Keeps turns, and recalls up to four texts of 600 bytes by their words.
    pub fn new(store: Arc<dyn Memory>) -> Self {
        Self {
            store,
            keep: true,
            facts: true,
            turns: true,
            most: 4,
            bytes: 600,
            embedder: None,
        }
    }

    /// Keeps turns, and recalls nothing.
    pub fn keeping(store: Arc<dyn Memory>) -> Self {
        Self {
            most: 0,
            ..Self::new(store)
        }
    }

    /// The policy with recall by meaning too.
    #[must_use]
    pub fn with_embedder(self, embedder: Arc<dyn Embedder>) -> Self {
        Self {
            embedder: Some(embedder),
            ..self
        }
    }

    /// Whether anything is recalled.
    pub(crate) fn recalls(&self) -> bool {
        self.most > 0 && (self.facts || self.turns)
    }
}

impl fmt::Debug for MemoryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryPolicy")
            .field("store", &self.store)
            .field("keep", &self.keep)
            .field("facts", &self.facts)
            .field("turns", &self.turns)
            .field("most", &self.most)
            .field("bytes", &self.bytes)
            .field(
                "embedder",
                &self.embedder.as_ref().map(|embedder| embedder.name().to_owned()),
            )
            .finish()
    }
}

/// What was recalled for a message.
#[derive(Clone, Debug, PartialEq)]
pub struct Injection {
    /// What was found, the best first.
    pub items: Vec<Recalled>,
    /// What stands before the message in the prompt, to the letter.
    pub text: String,
}

/// A failure of memory that did not keep a message from its answer.
#[derive(Clone, Debug)]
pub struct MemoryFault {
    /// What was being done.
    pub during: MemoryUse,
    /// What failed.
    pub error: Arc<MemoryError>,
}

/// What memory was used for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum MemoryUse {
    /// Looking for what fits a message: nothing was recalled.
    Recall,
    /// Making vectors: what was recalled was recalled by words alone.
    Embed,
    /// Keeping a turn: it stands in the chat, and not in the store; the next turn that is kept brings it along.
    Keep,
}

impl MemoryFault {
    pub(crate) fn new(during: MemoryUse, error: MemoryError) -> Self {
        let error = Arc::new(error);
        Self { during, error }
    }
}

impl fmt::Display for MemoryFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let what = match self.during {
            MemoryUse::Recall => "nothing was recalled",
            MemoryUse::Embed => "nothing was recalled by meaning",
            MemoryUse::Keep => "the turn is not stored",
        };
        write!(f, "{what}: {}", self.error)?;
        // Each cause too: whoever shows a fault has nothing else to show.
        let mut cause = self.error.source();
        while let Some(error) = cause {
            write!(f, ": {error}")?;
            cause = error.source();
        }
        Ok(())
    }
}

/// Two are the same where they say the same.
impl PartialEq for MemoryFault {
    fn eq(&self, other: &Self) -> bool {
        self.during == other.during && self.error.to_string() == other.error.to_string()
    }
}

/// What is to be recalled for a message.
pub(crate) struct Wanted {
    pub(crate) text: String,
    /// The conversation and the first of its turns that are shown.
    pub(crate) shown: Option<(ConversationId, usize)>,
    /// What is shown already.
    pub(crate) known: Vec<Origin>,
}

/// What came of it.
#[derive(Default)]
pub(crate) struct Found {
    pub(crate) injection: Option<Injection>,
    pub(crate) faults: Vec<MemoryFault>,
}

/// Looks for what fits a message.
pub(crate) async fn recall(policy: MemoryPolicy, wanted: Wanted) -> Found {
    let mut faults = Vec::new();
    let vector = match &policy.embedder {
        None => None,
        Some(embedder) => {
            let made = vector(&policy.store, embedder, &wanted.text).await;
            made.map_err(|error| faults.push(MemoryFault::new(MemoryUse::Embed, error)))
                .ok()
        }
    };
    let model = policy
        .embedder
        .as_ref()
        .map(|embedder| embedder.name().to_owned());
    let store = Arc::clone(&policy.store);
    let (facts, turns, most) = (policy.facts, policy.turns, policy.most);
    let searched = Errand::run("chat-recall", move || {
        let meaning = model.as_deref().zip(vector.as_deref());
        let query = Query {
            text: &wanted.text,
            common_words: false,
            meaning,
            facts,
            turns,
            limit: most + wanted.known.len(),
            shown: wanted.shown,
        };
        let mut found = store.recall(&query)?;
        found.retain(|item| !wanted.known.contains(&item.origin));
        found.truncate(most);
        Ok(found)
    });
    let found = match searched.await {
        Ok(found) => found,
        Err(error) => Err(MemoryError::Worker(error.to_string())),
    };
    match found {
        Ok(items) => Found {
            injection: injection(items, policy.bytes),
            faults,
        },
        Err(error) => {
            faults.push(MemoryFault::new(MemoryUse::Recall, error));
            Found {
                injection: None,
                faults,
            }
        }
    }
}

/// The vector of `text`, after the newest texts of the store that lack one got theirs.
async fn vector(
    store: &Arc<dyn Memory>,
    embedder: &Arc<dyn Embedder>,
    text: &str,
) -> Result<Vec<f32>, MemoryError> {
    crate::memory::index(store, embedder, LATE).await?;
    let mut made = embedder
        .embed(vec![text.to_owned()])
        .await
        .map_err(MemoryError::Embed)?;
    made.pop()
        .filter(|_| made.is_empty())
        .ok_or(MemoryError::Vectors {
            asked: 1,
            got: made.len(),
        })
}

/// What is shown of `items`, if there are any.
fn injection(items: Vec<Recalled>, bytes: usize) -> Option<Injection> {
    if items.is_empty() {
        return None;
    }
    let mut text = OPENING.to_owned();
    for item in &items {
        let (shown, omitted) = cut(item.text.clone(), bytes);
        let more = if omitted > 0 { " ..." } else { "" };
        // Lines of an item stand behind its mark, so that no item can end the list.
        let shown = shown.replace('\n', "\n  ");
        // Writing to a string does not fail.
        let _ = write!(text, "\n- {shown}{more}");
    }
    text.push('\n');
    text.push_str(CLOSING);
    Some(Injection { items, text })
}
