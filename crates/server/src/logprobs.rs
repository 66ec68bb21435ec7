//! Log-probabilities in OpenAI's shapes, with the ids of the tokens.

use engine::{TokenLogprob, TokenLogprobs};
use models::Tokenizer;
use serde::Serialize;
use utoipa::ToSchema;

/// Written in the place of minus infinity, which JSON lacks.
const NEVER: f32 = -9999.0;

/// How tokens are written.
#[derive(Clone, Debug)]
pub(crate) struct Spelling {
    tokenizer: Tokenizer,
    /// `token_id:` and the id in the place of the text.
    as_ids: bool,
}

/// Log-probabilities of a chat's answer.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ChatLogprobs {
    content: Vec<ChatToken>,
}

/// A token, what the model gave it, and what it gave the most probable ones in its place.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct ChatToken {
    #[serde(flatten)]
    token: SpelledToken,
    top_logprobs: Vec<SpelledToken>,
}

/// A token and what the model gave it.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub(crate) struct SpelledToken {
    /// Its text; bytes that are no character are shown as one.
    token: String,
    /// Its id. An extension.
    id: u32,
    /// In nats; -9999 is never.
    logprob: f32,
    /// Its bytes.
    bytes: Vec<u8>,
}

impl Spelling {
    pub(crate) fn new(tokenizer: Tokenizer, as_ids: bool) -> Self {
        Self { tokenizer, as_ids }
    }

    fn bytes(&self, token: u32) -> Vec<u8> {
        self.tokenizer.token_bytes(token).unwrap_or_default().to_vec()
    }

    /// The text of a token.
    pub(crate) fn text(&self, token: u32) -> String {
        if self.as_ids {
            return format!("token_id:{token}");
        }
        text(&self.tokenizer, token)
    }

    fn spelled(&self, token: &TokenLogprob) -> SpelledToken {
        SpelledToken {
            token: self.text(token.token),
            id: token.token,
            logprob: token.logprob.max(NEVER),
            bytes: self.bytes(token.token),
        }
    }

    /// Those of a chat.
    pub(crate) fn chat(&self, logprobs: &[TokenLogprobs]) -> ChatLogprobs {
        ChatLogprobs {
            content: self.tokens(logprobs),
        }
    }

    /// The tokens of [`Spelling::chat`] alone.
    pub(crate) fn tokens(&self, logprobs: &[TokenLogprobs]) -> Vec<ChatToken> {
        logprobs
            .iter()
            .map(|token| ChatToken {
                token: self.spelled(&token.chosen),
                top_logprobs: token.best.iter().map(|best| self.spelled(best)).collect(),
            })
            .collect()
    }
}

/// The text of a token; of one that is not shown, its name.
pub(crate) fn text(tokenizer: &Tokenizer, token: u32) -> String {
    match tokenizer.token_bytes(token) {
        Some(bytes) if !bytes.is_empty() && !tokenizer.is_special(token) => {
            String::from_utf8_lossy(bytes).into_owned()
        }
        _ => tokenizer.token_text(token).unwrap_or_default().to_owned(),
    }
}

/// A log-probability as it is written.
pub(crate) fn written(logprob: f32) -> f32 {
    logprob.max(NEVER)
}
