//! Text to token ids and back, as the model's file says.
//!
//! Invariant: every id below [`Tokenizer::vocab_size`] stands for a fixed string of bytes, kept in one contiguous
//! table, and the text of a sequence is those strings one after another (with SentencePiece vocabularies, less one
//! space at its start). So a reader of a stream can be shown each token's text without decoding the sequence again,
//! and without an allocation.
//!
//! Splitting and merging is the work of the `tokenizers` crate; this module reads the vocabulary, chooses the rules
//! that it was trained with, and refuses a vocabulary whose rules are not known.

mod gguf;
mod json;
mod tiktoken;

mod beside;
pub(crate) mod byte_level;
mod ending;
mod merges;
mod pre;
mod spm;
mod table;
mod vocabulary;

use std::path::Path;
use std::sync::{Arc, OnceLock};

use table::Table;

use crate::ModelError;
use crate::gguf::GgufFile;

/// A tokenizer; clones share one vocabulary.
#[derive(Clone, Debug)]
pub struct Tokenizer(Arc<Inner>);

/// Whether the names of special tokens in a text stand for those tokens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Special {
    /// `<|im_end|>` in the text becomes the token of that name: for templates and prompts.
    Parse,
    /// `<|im_end|>` in the text is ordinary text: for what a stranger wrote.
    Literal,
}

#[derive(Debug)]
struct Inner {
    kind: String,
    parse: Arc<tokenizers::Tokenizer>,
    /// Made when it is first needed, since it holds the vocabulary a second time.
    literal: OnceLock<tokenizers::Tokenizer>,
    /// Bytes that each token stands for.
    bytes: Table,
    /// Name of each token in the vocabulary.
    names: Table,
    special: Vec<bool>,
    strips_first_space: bool,
    bos: Option<u32>,
    eos: Option<u32>,
    adds_bos: bool,
    end_of_generation: Vec<u32>,
    chat_template: Option<String>,
}

impl Tokenizer {
    /// The tokenizer that stands in the metadata of a GGUF file.
    ///
    /// # Errors
    ///
    /// * [`ModelError::MissingMetadata`], [`ModelError::MetadataType`] if the file has no vocabulary or an odd one.
    /// * [`ModelError::UnknownTokenizer`] if its model or its rules for splitting text are not known.
    /// * [`ModelError::Vocabulary`] if the vocabulary contradicts itself.
    pub fn from_gguf(file: &GgufFile) -> Result<Self, ModelError> {
        Ok(Self(Arc::new(gguf::read(file)?)))
    }

    /// The tokenizer in a `tokenizer.json` or a `tiktoken.model`, with the special tokens and the chat template that
    /// `tokenizer_config.json` and `chat_template.jinja` beside it name, where there are such files.
    ///
    /// A file whose name ends in `.model` is read as a list of tokens, any other as JSON.
    ///
    /// # Errors
    ///
    /// * [`ModelError::Io`], [`ModelError::NotAFile`] if a file cannot be read.
    /// * [`ModelError::TokenizerFile`], [`ModelError::NotText`] if one is not what its name says.
    /// * [`ModelError::UnknownTokenizer`] if its decoder or, for a list of tokens, its class is not known.
    /// * [`ModelError::Vocabulary`] if the vocabulary contradicts itself.
    pub fn from_file(path: &Path) -> Result<Self, ModelError> {
        let is_list = path.extension().is_some_and(|end| end == "model");
        let inner = if is_list {
            tiktoken::read(path)?
        } else {
            json::read(path)?
        };
        Ok(Self(Arc::new(inner)))
    }

    /// The tokenizer of a folder as published: its `tokenizer.json`, else its `tiktoken.model`.
    ///
    /// # Errors
    ///
    /// * [`ModelError::NoTokenizer`] if there is neither.
    /// * Those of [`Tokenizer::from_file`].
    pub fn from_folder(folder: &Path) -> Result<Self, ModelError> {
        let files = ["tokenizer.json", "tiktoken.model"];
        match files
            .map(|name| folder.join(name))
            .iter()
            .find(|path| path.exists())
        {
            Some(path) => Self::from_file(path),
            None => Err(ModelError::NoTokenizer {
                folder: folder.to_owned(),
            }),
        }
    }

    /// Token ids of `text`; no token is put before or behind.
    ///
    /// # Errors
    ///
    /// [`ModelError::Tokenize`] if the text cannot be split.
    pub fn encode(&self, text: &str, special: Special) -> Result<Vec<u32>, ModelError> {
        let inner = match special {
            Special::Parse => &self.0.parse,
            Special::Literal => self.0.literal.get_or_init(|| {
                let mut literal = tokenizers::Tokenizer::clone(&self.0.parse);
                literal.set_encode_special_tokens(true);
                literal
            }),
        };
        let encoding = inner
            .encode_fast(text, false)
            .map_err(|source| ModelError::Tokenize { source })?;
        Ok(encoding.get_ids().to_vec())
    }

    /// Token ids of a prompt: special tokens are recognised, and the sequence begins with the token that begins
    /// sequences where the model wants one and the text does not bring it along.
    ///
    /// # Errors
    ///
    /// [`ModelError::Tokenize`] if the text cannot be split.
    pub fn encode_prompt(&self, text: &str) -> Result<Vec<u32>, ModelError> {
        let mut ids = self.encode(text, Special::Parse)?;
        if let Some(bos) = self.0.bos
            && self.0.adds_bos
            && ids.first() != Some(&bos)
        {
            ids.insert(0, bos);
        }
        Ok(ids)
    }

    /// Text of a whole sequence; special tokens are left out and bytes that are not UTF-8 become U+FFFD.
    ///
    /// # Errors
    ///
    /// [`ModelError::TokenOutOfVocabulary`] if an id is not in the vocabulary.
    pub fn decode(&self, ids: &[u32]) -> Result<String, ModelError> {
        let mut bytes = Vec::new();
        for &token in ids {
            let vocab = self.vocab_size();
            let text = self
                .token_bytes(token)
                .ok_or(ModelError::TokenOutOfVocabulary { token, vocab })?;
            bytes.extend_from_slice(text);
        }
        let text = match bytes.strip_prefix(b" ") {
            Some(rest) if self.0.strips_first_space => rest,
            _ => &bytes,
        };
        Ok(String::from_utf8_lossy(text).into_owned())
    }

    /// Number of token ids; a model may have more rows of logits than this.
    pub fn vocab_size(&self) -> usize {
        self.0.bytes.len()
    }

    /// Bytes that a token stands for in text, not always whole characters; empty for special tokens, `None` past the
    /// vocabulary.
    pub fn token_bytes(&self, id: u32) -> Option<&[u8]> {
        self.0.bytes.get(id)
    }

    /// Whether a decoded sequence loses a space at its very start, as with SentencePiece vocabularies.
    ///
    /// The start is that of the whole sequence: text that continues a prompt keeps its space.
    pub fn strips_first_space(&self) -> bool {
        self.0.strips_first_space
    }

    /// Whether a token is a mark of the format that is never shown as text.
    pub fn is_special(&self, id: u32) -> bool {
        usize::try_from(id)
            .ok()
            .and_then(|id| self.0.special.get(id))
            .copied()
            .unwrap_or(false)
    }

    /// The mark of a format that `text` is: a token in angle brackets, such as `<tool_call>`, that was added to the vocabulary
    /// and is shown.
    pub fn mark(&self, text: &str) -> Option<u32> {
        let bare = text.strip_prefix('<')?.strip_suffix('>')?;
        let id = self.token_id(text)?;
        let shown = self.token_bytes(id) == Some(text.as_bytes()) && !self.is_special(id);
        let added = self.0.parse.get_added_vocabulary().get_vocab();
        let added = added.contains_key(text);
        (!bare.is_empty() && !bare.contains(['<', '>', ' ', '\n']) && shown && added).then_some(id)
    }

    /// The token whose name in the vocabulary is `text`; spaces and bytes are spelled as the vocabulary spells them.
    pub fn token_id(&self, text: &str) -> Option<u32> {
        self.0.parse.token_to_id(text)
    }

    /// Name of a token in the vocabulary; spaces and bytes are spelled as the vocabulary spells them.
    pub fn token_text(&self, id: u32) -> Option<&str> {
        self.0
            .names
            .get(id)
            .and_then(|name| std::str::from_utf8(name).ok())
    }

    /// The token that begins sequences.
    pub fn bos(&self) -> Option<u32> {
        self.0.bos
    }

    /// Whether a prompt begins with [`Tokenizer::bos`].
    pub fn adds_bos(&self) -> bool {
        self.0.adds_bos && self.0.bos.is_some()
    }

    /// The token that ends sequences.
    pub fn eos(&self) -> Option<u32> {
        self.0.eos
    }

    /// All tokens after which a model has nothing more to say: end of sequence, of turn, of message; ascending.
    pub fn end_of_generation(&self) -> &[u32] {
        &self.0.end_of_generation
    }

    /// The chat template that came with the vocabulary.
    pub fn chat_template(&self) -> Option<&str> {
        self.0.chat_template.as_deref()
    }

    /// The text of a `tokenizer.json` that does as this one does; only a byte-level vocabulary has one.
    #[cfg(feature = "synth")]
    pub(crate) fn to_json(&self) -> Result<String, ModelError> {
        let mut whole = tokenizers::Tokenizer::clone(&self.0.parse);
        whole.with_decoder(Some(tokenizers::decoders::byte_level::ByteLevel::default()));
        whole.to_string(false).map_err(vocabulary)
    }

    /// This tokenizer, with special tokens of these names as text: they stay in it when ids are decoded. Names that are
    /// no special token change nothing.
    ///
    /// A model whose calls of tools stand between special tokens is only understood where they show.
    #[must_use]
    pub fn showing(&self, names: &[&str]) -> Self {
        let ids = names.iter().filter_map(|name| self.token_id(name));
        let shown: Vec<u32> = ids.filter(|id| self.is_special(*id)).collect();
        if shown.is_empty() {
            return self.clone();
        }
        let inner = &*self.0;
        let ids = || (0u32..).take(self.vocab_size());
        let bytes = ids().map(|id| {
            let table = if shown.contains(&id) {
                &inner.names
            } else {
                &inner.bytes
            };
            table.get(id).unwrap_or_default()
        });
        Self(Arc::new(Inner {
            kind: inner.kind.clone(),
            parse: Arc::clone(&inner.parse),
            literal: inner.literal.clone(),
            bytes: bytes.collect(),
            names: ids().map(|id| inner.names.get(id).unwrap_or_default()).collect(),
            special: ids()
                .map(|id| self.is_special(id) && !shown.contains(&id))
                .collect(),
            strips_first_space: inner.strips_first_space,
            bos: inner.bos,
            eos: inner.eos,
            adds_bos: inner.adds_bos,
            end_of_generation: inner.end_of_generation.clone(),
            chat_template: inner.chat_template.clone(),
        }))
    }

    /// What kind of tokenizer this is, such as `gpt2/qwen2` or `llama`.
    pub fn kind(&self) -> &str {
        &self.0.kind
    }
}

/// The `tokenizers` crate's error, as one of ours about the vocabulary.
fn vocabulary(source: tokenizers::Error) -> ModelError {
    ModelError::Vocabulary {
        fault: source.to_string(),
    }
}

#[cfg(test)]
mod tests;
