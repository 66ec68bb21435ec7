//! The tokenizer: byte-level pairs trained on the corpus, digits alone, names alike wherever they stand.
//!
//! Merges are learnt on words that are cut finer than the tokenizer cuts them: a space stands apart from a capital
//! letter, a digit and a sign. So no merge ever joins them, and a name has the same tokens behind a space, a newline
//! and a tag, which is what copying needs. The tokenizer itself cuts as Qwen2's does, which every reader of GGUF files
//! knows by the name `qwen2`.

use std::path::Path;

use anyhow::{Context, Result, anyhow, ensure};
use models::gguf::Array;
use serde_json::{Value, json};
use tokenizers::decoders::byte_level::ByteLevel as ByteLevelDecoder;
use tokenizers::models::TrainerWrapper;
use tokenizers::models::bpe::{BPE, BpeTrainer};
use tokenizers::normalizers::unicode::NFC;
use tokenizers::pre_tokenizers::byte_level::ByteLevel;
use tokenizers::pre_tokenizers::sequence::Sequence;
use tokenizers::pre_tokenizers::split::{Split, SplitPattern};
use tokenizers::tokenizer::SplitDelimiterBehavior;
use tokenizers::{AddedToken, Tokenizer};

/// Entries, added tokens included.
pub const SIZE: usize = 2048;

/// How Qwen2 cuts text, as its published `tokenizer.json` says.
const QWEN2: &str = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+";
/// The finer cut that merges are learnt on.
const FINE: &str = r" [a-z]+|[A-Za-z]+|[0-9]|[^\sA-Za-z0-9]+|[\r\n]+| |\s+";

/// Begins a message.
pub const START: &str = "<|im_start|>";
/// Ends a message, and the model's turn.
pub const END: &str = "<|im_end|>";
/// Ends a text.
pub const END_OF_TEXT: &str = "<|endoftext|>";

/// Tokens that are no text for a reader.
const CONTROL: [&str; 3] = [END_OF_TEXT, START, END];
/// Tags of the tool format, one token each; text for a reader, so that parsers see them.
const TAGS: [&str; 20] = [
    "<tool_call>",
    "</tool_call>",
    "<tool_response>",
    "</tool_response>",
    "<tools>",
    "</tools>",
    "<function>",
    "</function>",
    "<function=",
    "<parameters>",
    "</parameters>",
    "<parameter>",
    "</parameter>",
    "<parameter=",
    "<name>",
    "</name>",
    "<type>",
    "</type>",
    "<description>",
    "</description>",
];

/// The tokenizer.
#[derive(Clone, Debug)]
pub struct Vocabulary {
    tokenizer: Tokenizer,
}

impl Vocabulary {
    /// Learns merges from `texts`, which hold none of the added tokens.
    ///
    /// # Errors
    ///
    /// Too little text for [`SIZE`] entries, and those of the tokenizers crate.
    pub fn train(texts: impl Iterator<Item = String> + Send) -> Result<Self> {
        let mut alphabet: Vec<char> = ByteLevel::alphabet().into_iter().collect();
        alphabet.sort_unstable();
        let trainer = BpeTrainer::builder()
            .vocab_size(SIZE - CONTROL.len() - TAGS.len())
            .min_frequency(2)
            .initial_alphabet(alphabet.into_iter().collect())
            .show_progress(false)
            .build();
        let mut trainer = TrainerWrapper::from(trainer);
        let mut learner = Tokenizer::new(BPE::default());
        learner.with_pre_tokenizer(Some(cut(FINE)?));
        learner
            .train(&mut trainer, texts)
            .map_err(|error| anyhow!(error))?;
        let mut tokenizer = Tokenizer::new(learner.get_model().clone());
        tokenizer
            .with_normalizer(Some(NFC))
            .map_err(|error| anyhow!(error))?
            .with_pre_tokenizer(Some(cut(QWEN2)?))
            .with_decoder(Some(ByteLevelDecoder::default()));
        let control = CONTROL.map(|text| AddedToken::from(text, true).normalized(false));
        tokenizer
            .add_special_tokens(control)
            .map_err(|error| anyhow!(error))?;
        let tags = TAGS.map(|text| AddedToken::from(text, false).normalized(false));
        tokenizer.add_tokens(tags).map_err(|error| anyhow!(error))?;
        let size = tokenizer.get_vocab_size(true);
        ensure!(size == SIZE, "the texts give {size} entries of {SIZE}");
        Ok(Self { tokenizer })
    }

    /// Reads a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// A file that cannot be read.
    pub fn read(path: &Path) -> Result<Self> {
        let tokenizer = Tokenizer::from_file(path).map_err(|error| anyhow!(error));
        let tokenizer = tokenizer.with_context(|| path.display().to_string())?;
        Ok(Self { tokenizer })
    }

    /// Writes a `tokenizer.json`.
    ///
    /// # Errors
    ///
    /// A file that cannot be written.
    pub fn write(&self, path: &Path) -> Result<()> {
        let saved = self.tokenizer.save(path, true).map_err(|error| anyhow!(error));
        saved.with_context(|| path.display().to_string())
    }

    /// The ids of a text; names of added tokens stand for those tokens.
    ///
    /// # Errors
    ///
    /// Those of the tokenizers crate.
    pub fn encode(&self, text: &str) -> Result<Vec<u32>> {
        let encoding = self
            .tokenizer
            .encode(text, false)
            .map_err(|error| anyhow!(error))?;
        Ok(encoding.get_ids().to_vec())
    }

    /// The id of an entry.
    ///
    /// # Errors
    ///
    /// An entry that there is not.
    pub fn id(&self, entry: &str) -> Result<u32> {
        self.tokenizer
            .token_to_id(entry)
            .with_context(|| format!("no entry `{entry}`"))
    }

    /// Names, classes and merges as GGUF files hold them.
    ///
    /// # Errors
    ///
    /// A tokenizer without merges.
    pub fn gguf(&self) -> Result<[(&'static str, Array); 3]> {
        let json: Value = serde_json::from_str(&self.tokenizer.to_string(false).map_err(|e| anyhow!(e))?)?;
        let merges = json["model"]["merges"].as_array().context("no merges")?;
        let merges: Vec<String> = merges
            .iter()
            .map(spelled)
            .collect::<Option<_>>()
            .context("odd merges")?;
        let (mut names, mut classes) = (Vec::new(), Vec::new());
        for id in 0..SIZE as u32 {
            let name = self
                .tokenizer
                .id_to_token(id)
                .with_context(|| format!("no entry {id}"))?;
            let (normal, control, user_defined) = (1, 3, 4);
            classes.push(match name.as_str() {
                name if CONTROL.contains(&name) => control,
                name if TAGS.contains(&name) => user_defined,
                _ => normal,
            });
            names.push(name);
        }
        Ok([
            ("tokenizer.ggml.tokens", Array::of_strings(&names)),
            ("tokenizer.ggml.token_type", Array::of_i32(&classes)),
            ("tokenizer.ggml.merges", Array::of_strings(&merges)),
        ])
    }

    /// `tokenizer_config.json` as published beside a `tokenizer.json`.
    pub fn config(&self, chat_template: &str, context: usize) -> Value {
        json!({
            "tokenizer_class": "Qwen2TokenizerFast",
            "bos_token": null,
            "eos_token": END,
            "pad_token": END_OF_TEXT,
            "unk_token": null,
            "add_bos_token": false,
            "add_prefix_space": false,
            "clean_up_tokenization_spaces": false,
            "model_max_length": context,
            "chat_template": chat_template,
        })
    }
}

/// The pieces of `text` between added tokens.
pub fn between_added(text: &str) -> Vec<String> {
    let mut pieces = vec![text.to_owned()];
    for added in CONTROL.iter().chain(&TAGS) {
        pieces = pieces
            .iter()
            .flat_map(|piece| piece.split(added))
            .map(str::to_owned)
            .collect();
    }
    pieces.retain(|piece| !piece.is_empty());
    pieces
}

/// A merge, which is written as one string or as two.
fn spelled(merge: &Value) -> Option<String> {
    match merge {
        Value::String(merge) => Some(merge.clone()),
        Value::Array(pair) => Some(format!("{} {}", pair.first()?.as_str()?, pair.get(1)?.as_str()?)),
        _ => None,
    }
}

/// Cuts by an expression, then spells bytes as characters.
fn cut(expression: &str) -> Result<Sequence> {
    let pattern = SplitPattern::Regex(expression.to_owned());
    let split =
        Split::new(pattern, SplitDelimiterBehavior::Isolated, false).map_err(|error| anyhow!(error))?;
    Ok(Sequence::new(vec![
        split.into(),
        ByteLevel::new(false, false, false).into(),
    ]))
}
