//! What a request says of its draws, and of where its answer ends: fields that chats and plain completions share.

use std::collections::BTreeMap;

use engine::{CandleCompletionParams, Dry, Sampling, Xtc};

use crate::bounds::{CHOICES, STOPS};
use crate::error::{Failure, bounded};
use crate::format::StructuredOutputs;
use crate::model::Model;
use crate::shape::OneOrMany;
use crate::shape::only_objects;

/// A request with the fields of [`Draws`] behind its own; all fields are known, and unknown ones refused.
macro_rules! with_draws {
    ($(#[$meta:meta])* pub(crate) struct $name:ident { $($fields:tt)* }) => {
        $(#[$meta])*
        #[derive(Clone, Debug, serde::Deserialize, utoipa::ToSchema)]
        #[serde(deny_unknown_fields, remote = "Self")]
        pub(crate) struct $name {
            $($fields)*
            /// Divides the logits: 0 always takes the most probable token. Absent: the model's.
            #[schema(minimum = 0)]
            temperature: Option<f32>,
            /// Keeps the most probable tokens up to this probability; 1 keeps all.
            #[schema(minimum = 0, maximum = 1)]
            top_p: Option<f32>,
            /// Keeps this many of the most probable tokens; 0 and -1 keep all. An extension.
            #[schema(minimum = -1, maximum = 2147483647)]
            top_k: Option<i64>,
            /// Keeps tokens of at least this share of the largest probability; 0 keeps all. An extension.
            #[schema(minimum = 0, maximum = 1)]
            min_p: Option<f32>,
            /// Keeps the most typical tokens up to this probability; 1 keeps all. An extension.
            #[schema(minimum = 0, maximum = 1)]
            typical_p: Option<f32>,
            /// Keeps logits of at least the largest minus so many standard deviations; 0 or less keeps all. An extension.
            top_n_sigma: Option<f32>,
            /// Taken from the logit of a token for each time that it stands in the text already.
            #[schema(minimum = -2, maximum = 2)]
            frequency_penalty: Option<f32>,
            /// Taken from the logit of a token that stands in the text already.
            #[schema(minimum = -2, maximum = 2)]
            presence_penalty: Option<f32>,
            /// Makes less probable what stands in the text already; 1 changes nothing. An extension.
            #[schema(minimum = 0.01, maximum = 100)]
            repetition_penalty: Option<f32>,
            /// Tokens that the three penalties look back on; -1 is all. An extension.
            #[schema(minimum = -1, maximum = 2147483647)]
            repeat_last_n: Option<i64>,
            /// Scales the penalty on what would extend a repeated sequence (DRY); 0 is none. An extension.
            #[schema(minimum = 0)]
            dry_multiplier: Option<f32>,
            /// Growth of that penalty with each token. An extension.
            #[schema(minimum = 1)]
            dry_base: Option<f32>,
            /// Shorter repeated sequences cost nothing. An extension.
            #[schema(minimum = 0, maximum = 2147483647)]
            dry_allowed_length: Option<i64>,
            /// Tokens that this penalty looks back on; -1 is all. An extension.
            #[schema(minimum = -1, maximum = 2147483647)]
            dry_penalty_last_n: Option<i64>,
            /// Texts that no repeated sequence reaches across. An extension.
            dry_sequence_breakers: Option<Vec<String>>,
            /// How often the most probable tokens are left out (XTC). An extension.
            #[schema(minimum = 0, maximum = 1)]
            xtc_probability: Option<f32>,
            /// From which probability on a token counts as one of them. An extension.
            #[schema(minimum = 0, maximum = 1)]
            xtc_threshold: Option<f32>,
            /// Added to the logits of tokens, which are named by their id or their text; -100 bans one.
            logit_bias: Option<std::collections::BTreeMap<String, f32>>,
            /// The same seed and request give the same answer.
            #[schema(minimum = 0)]
            seed: Option<i64>,
            /// Texts that end the answer where the model writes one of them.
            stop: Option<crate::shape::OneOrMany<String>>,
            /// Most tokens to generate. Absent: 1,000, or what the context has room for.
            #[schema(minimum = 1, maximum = 4294967295_i64)]
            max_tokens: Option<i64>,
            /// Fewest tokens to generate. An extension.
            #[schema(minimum = 0, maximum = 4294967295_i64)]
            min_tokens: Option<i64>,
            /// Goes on where the model would end its answer. An extension.
            ignore_eos: Option<bool>,
            /// Answers to the same prompt. Answer `i` has the seed plus `i`.
            #[schema(minimum = 1, maximum = 128)]
            n: Option<i64>,
            /// Most tokens to guess from the context and verify at once; changes the speed alone. An extension.
            #[schema(minimum = 0, maximum = 4294967295_i64)]
            draft: Option<i64>,
            /// What the answer has to be, where `response_format` does not say. An extension.
            structured_outputs: Option<crate::format::StructuredOutputs>,
            /// Whether tokens of log-probabilities are named `token_id:` and their id. An extension.
            return_tokens_as_token_ids: Option<bool>,
            /// Whether the answer comes piece by piece, as server-sent events.
            stream: Option<bool>,
            /// For streams.
            stream_options: Option<crate::draws::StreamOptions>,
            /// Not used.
            user: Option<String>,
            /// Special tokens are left out of the text. In SGLang's words.
            #[schema(schema_with = crate::shape::always_schema)]
            skip_special_tokens: Option<bool>,
            /// A stop text is left out of the text. In SGLang's words.
            #[schema(schema_with = crate::shape::never_schema)]
            no_stop_trim: Option<bool>,
            /// They are not told. In SGLang's words.
            #[schema(schema_with = crate::shape::never_schema)]
            return_hidden_states: Option<bool>,
        }

        crate::shape::only_objects!($name);

        impl $name {
            /// What it says of its draws.
            fn draws(&self) -> crate::draws::Draws<'_> {
                crate::draws::Draws {
                    temperature: self.temperature,
                    top_p: self.top_p,
                    top_k: self.top_k,
                    min_p: self.min_p,
                    typical_p: self.typical_p,
                    top_n_sigma: self.top_n_sigma,
                    frequency_penalty: self.frequency_penalty,
                    presence_penalty: self.presence_penalty,
                    repetition_penalty: self.repetition_penalty,
                    repeat_last_n: self.repeat_last_n,
                    dry_multiplier: self.dry_multiplier,
                    dry_base: self.dry_base,
                    dry_allowed_length: self.dry_allowed_length,
                    dry_penalty_last_n: self.dry_penalty_last_n,
                    dry_sequence_breakers: self.dry_sequence_breakers.as_deref(),
                    xtc_probability: self.xtc_probability,
                    xtc_threshold: self.xtc_threshold,
                    logit_bias: self.logit_bias.as_ref(),
                    seed: self.seed,
                    stop: self.stop.as_ref(),
                    max_tokens: self.max_tokens,
                    min_tokens: self.min_tokens,
                    ignore_eos: self.ignore_eos,
                    n: self.n,
                    draft: self.draft,
                    structured_outputs: self.structured_outputs.as_ref(),
                    settled: [
                        ("skip_special_tokens", self.skip_special_tokens, true),
                        ("no_stop_trim", self.no_stop_trim, false),
                        ("return_hidden_states", self.return_hidden_states, false),
                    ],
                }
            }
        }
    };
}
pub(crate) use with_draws;

only_objects!(StreamOptions);

/// Options of a stream.
#[derive(Clone, Copy, Debug, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct StreamOptions {
    /// Whether an event before the last tells the usage.
    pub(crate) include_usage: Option<bool>,
    /// Not used: nothing is put into events to hide their length.
    pub(crate) include_obfuscation: Option<bool>,
}

/// What a request says of its draws, as it came.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Draws<'r> {
    pub(crate) temperature: Option<f32>,
    pub(crate) top_p: Option<f32>,
    pub(crate) top_k: Option<i64>,
    pub(crate) min_p: Option<f32>,
    pub(crate) typical_p: Option<f32>,
    pub(crate) top_n_sigma: Option<f32>,
    pub(crate) frequency_penalty: Option<f32>,
    pub(crate) presence_penalty: Option<f32>,
    pub(crate) repetition_penalty: Option<f32>,
    pub(crate) repeat_last_n: Option<i64>,
    pub(crate) dry_multiplier: Option<f32>,
    pub(crate) dry_base: Option<f32>,
    pub(crate) dry_allowed_length: Option<i64>,
    pub(crate) dry_penalty_last_n: Option<i64>,
    pub(crate) dry_sequence_breakers: Option<&'r [String]>,
    pub(crate) xtc_probability: Option<f32>,
    pub(crate) xtc_threshold: Option<f32>,
    pub(crate) logit_bias: Option<&'r BTreeMap<String, f32>>,
    pub(crate) seed: Option<i64>,
    pub(crate) stop: Option<&'r OneOrMany<String>>,
    pub(crate) max_tokens: Option<i64>,
    pub(crate) min_tokens: Option<i64>,
    pub(crate) ignore_eos: Option<bool>,
    pub(crate) n: Option<i64>,
    pub(crate) draft: Option<i64>,
    pub(crate) structured_outputs: Option<&'r StructuredOutputs>,
    /// Fields that may only say what is so, with what that is.
    pub(crate) settled: [Settled; 3],
}

/// The name of a field, what it says, and what is so.
pub(crate) type Settled = (&'static str, Option<bool>, bool);

/// Refuses a field that says something else than is so.
pub(crate) fn check_settled(fields: &[Settled]) -> Result<(), Failure> {
    let other = fields
        .iter()
        .find(|(_, said, is_so)| said.is_some_and(|said| said != *is_so));
    match other {
        Some((field, _, is_so)) => Err(Failure::unsupported(
            *field,
            format!("{field} is {}, and only {is_so} is supported", !is_so),
        )),
        None => Ok(()),
    }
}

/// How many of the most probable tokens are kept, where 0 and -1 are all.
pub(crate) fn top_k(said: Option<i64>) -> Result<Option<u32>, Failure> {
    let kept: Option<i64> = bounded("top_k", said, -1, LARGE)?;
    bounded("top_k", kept.map(|kept| kept.max(0)), 0, LARGE)
}

/// The most that a count of 32 bits can be.
const MOST: i64 = u32::MAX as i64;
/// The most that a count of the sampler can be.
const LARGE: i64 = i32::MAX as i64;

impl Draws<'_> {
    /// The parameters that follow; a field out of its bounds is named with them.
    pub(crate) fn params(self, model: &Model) -> Result<CandleCompletionParams, Failure> {
        check_settled(&self.settled)?;
        let sampling = Sampling {
            top_k: top_k(self.top_k)?,
            top_p: self.top_p,
            min_p: self.min_p,
            typical_p: self.typical_p,
            top_n_sigma: self.top_n_sigma,
            repetition_penalty: self.repetition_penalty,
            frequency_penalty: self.frequency_penalty,
            presence_penalty: self.presence_penalty,
            penalty_window: bounded("repeat_last_n", self.repeat_last_n, -1, LARGE)?,
            dry: Dry {
                multiplier: self.dry_multiplier,
                base: self.dry_base,
                allowed_length: bounded("dry_allowed_length", self.dry_allowed_length, 0, LARGE)?,
                window: bounded("dry_penalty_last_n", self.dry_penalty_last_n, -1, LARGE)?,
                breakers: self.dry_sequence_breakers.map(<[String]>::to_vec),
            },
            xtc: Xtc {
                probability: self.xtc_probability,
                threshold: self.xtc_threshold,
            },
            logit_bias: biases(self.logit_bias, model)?,
        };
        let stop = self.stop.cloned().map(OneOrMany::into_vec).unwrap_or_default();
        if stop.len() > STOPS {
            let message = format!("stop has {} texts, expected at most {STOPS}", stop.len());
            return Err(Failure::field("stop", message));
        }
        let params = CandleCompletionParams {
            max_tokens: bounded("max_tokens", self.max_tokens, 1, MOST)?,
            min_tokens: bounded("min_tokens", self.min_tokens, 0, MOST)?,
            stop,
            ignore_eos: self.ignore_eos.unwrap_or(false),
            temperature: self.temperature,
            sampling,
            seed: bounded("seed", self.seed, 0, i64::MAX)?,
            choices: bounded("n", self.n, 1, CHOICES)?,
            draft: bounded("draft", self.draft, 0, MOST)?,
            constraint: self
                .structured_outputs
                .map(StructuredOutputs::constraint)
                .transpose()?,
            ..CandleCompletionParams::default()
        };
        params.validate()?;
        Ok(params)
    }
}

/// The biases by token id; a token that is no number is a text.
fn biases(named: Option<&BTreeMap<String, f32>>, model: &Model) -> Result<Vec<(u32, f32)>, Failure> {
    let mut biases = Vec::new();
    for (name, bias) in named.into_iter().flatten() {
        let path = || format!("logit_bias.{name}");
        let known = model.tokenizer().map(|tokenizer| tokenizer.vocab_size());
        let token = match name.parse::<u32>() {
            Ok(id) if known.is_none_or(|known| (id as usize) < known) => id,
            Ok(id) => {
                let known = known.unwrap_or_default();
                let message = format!("token {id} is none of the model's {known}");
                return Err(Failure::field(path(), message));
            }
            Err(_) => {
                let tokenizer = model.spelling("logit_bias")?;
                let tokens = tokenizer.encode(name, models::Special::Parse).unwrap_or_default();
                match tokens.as_slice() {
                    [token] => *token,
                    tokens => {
                        let message = format!("{name:?} is {} tokens, expected one", tokens.len());
                        return Err(Failure::field(path(), message));
                    }
                }
            }
        };
        biases.push((token, *bias));
    }
    Ok(biases)
}
