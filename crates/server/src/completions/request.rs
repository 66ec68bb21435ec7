//! What a plain completion may ask for.

use engine::CandleCompletionParams;
use serde_json::Value;

use crate::bounds::{PROMPTS, TOP};
use crate::draws::with_draws;
use crate::error::{CONSTRAINT, Failure, bounded};
use crate::format::ResponseFormat;
use crate::logprobs::Spelling;
use crate::model::Model;
use crate::shape::{OneOrMany, check_biases, only, unused};

with_draws! {
    /// Texts that are to be continued.
    pub(crate) struct CompletionRequest {
        /// The id of the model.
        pub(crate) model: String,
        /// One text or several, as they are, past any template. Token ids are not supported.
        prompt: OneOrMany<String>,
        /// Whether each answer begins with its prompt; with `logprobs`, its tokens are scored.
        echo: Option<bool>,
        /// Of how many most probable tokens log-probabilities are told.
        #[schema(minimum = 0, maximum = 20)]
        logprobs: Option<i64>,
        /// Only the answers that are asked for are made.
        #[schema(minimum = 1, maximum = 1)]
        best_of: Option<i64>,
        /// What the answer has to be. An extension.
        response_format: Option<ResponseFormat>,
    }
}

/// What a completion asks for.
#[derive(Debug)]
pub(crate) struct Asked {
    pub(crate) prompts: Vec<String>,
    pub(crate) params: CandleCompletionParams,
    pub(crate) echo: bool,
    pub(crate) stream: bool,
    pub(crate) include_usage: bool,
    pub(crate) spelling: Option<Spelling>,
    /// The field that says what the answer has to be.
    pub(crate) constrained_by: &'static str,
    pub(crate) unused: Vec<&'static str>,
}

impl CompletionRequest {
    /// What it asks for.
    ///
    /// # Errors
    ///
    /// Status 400 with the field that cannot be followed.
    pub(crate) fn asked(self, model: &Model) -> Result<Asked, Failure> {
        let mut params = self.draws().params(model)?;
        check_biases(&params.sampling)?;
        let stream = self.stream.unwrap_or(false);
        let echo = self.echo.unwrap_or(false);
        if self.stream_options.is_some() && !stream {
            let message = "stream_options goes with stream alone";
            return Err(Failure::field("stream_options", message));
        }
        only("best_of", self.best_of.map(Value::from).as_ref(), &Value::from(1))?;
        params.logprobs = bounded("logprobs", self.logprobs, 0, TOP)?;
        let spelling = match params.logprobs {
            Some(_) => {
                let as_ids = self.return_tokens_as_token_ids.unwrap_or(false);
                Some(Spelling::new(model.spelling("logprobs")?.clone(), as_ids))
            }
            None => None,
        };
        if echo && params.logprobs.is_some() {
            if stream {
                let message = "the tokens of a prompt are not scored in a stream";
                return Err(Failure::unsupported("echo", message));
            }
            params.score_prompt = params.logprobs;
        }
        let unused = unused([
            (
                "return_tokens_as_token_ids",
                self.return_tokens_as_token_ids.is_some() && params.logprobs.is_none(),
            ),
            ("user", self.user.is_some()),
            (
                "stream_options.include_obfuscation",
                self.stream_options
                    .is_some_and(|options| options.include_obfuscation.is_some()),
            ),
        ]);
        if let Some(format) = &self.response_format {
            let constraint = format.constraint()?;
            if constraint.is_some() && params.constraint.is_some() {
                let message = "structured_outputs and response_format both say what the answer has to be";
                return Err(Failure::field("structured_outputs", message));
            }
            params.constraint = constraint.or(params.constraint);
        }
        let constrained_by = match &self.structured_outputs {
            Some(_) => "structured_outputs",
            None => CONSTRAINT,
        };
        let prompts = self.prompt.into_vec();
        if prompts.is_empty() || prompts.len() > PROMPTS {
            let message = format!("prompt has {} texts, expected 1 to {PROMPTS}", prompts.len());
            return Err(Failure::field("prompt", message));
        }
        Ok(Asked {
            prompts,
            params,
            echo,
            stream,
            include_usage: self
                .stream_options
                .and_then(|options| options.include_usage)
                .unwrap_or(false),
            spelling,
            constrained_by,
            unused,
        })
    }
}
