//! From what a caller asks to what the generator is given: the prompt rendered, the parser chosen, every field placed.

use engine::{CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, Dry, EngineError, Request};
use generator::{Basis, CheckedRequest, GenerateRequest, LogprobsConfig, PromptInput, SpecialTokens};
use models::Special;

use super::LocalProvider;
use crate::error::ProviderError;

/// Tokens guessed at once where a request does not say.
const DRAFT: usize = 16;
/// Tokens of an answer where a request does not say.
const MAX_TOKENS: u32 = 1_000;

impl LocalProvider {
    /// Everything about a request that can be known to be wrong before the model works on it.
    pub(super) fn check(
        &self,
        prompt: &CandlePrompt,
        params: &CandleCompletionParams,
    ) -> Result<(Request, CheckedRequest), EngineError> {
        let mut request =
            Request::for_capabilities(prompt, params, self.capabilities()).map_err(|error| {
                // The model itself knows better why it takes no tools.
                match (&error, self.output_format()) {
                    (EngineError::ToolsUnsupported { .. }, Err(reason)) => reason.into(),
                    _ => error,
                }
            })?;
        let (ids, constraint) = match prompt.messages() {
            Some(messages) => {
                let text = self.dialect().render_for(messages, params)?;
                if let Some(parser) = self.dialect().parser(messages, params.declared_tools(), &text)? {
                    request = request.with_parser(parser);
                }
                let constraint = self.dialect().constraint(messages, params, &text)?;
                (self.dialect().encode_rendered(&text)?, constraint)
            }
            None => (self.encode(prompt)?, params.constraint.clone()),
        };
        let context = self.context_length();
        let request = request.with_prompt_tokens(ids.len(), context)?;
        let mut sampling = params.sampling(self.loaded.generator.sampling());
        if sampling.params.dry.multiplier > 0.0 {
            sampling.params.dry.breakers = self.breakers(&params.sampling.dry)?;
        }
        let room = u32::try_from(context.saturating_sub(ids.len())).unwrap_or(u32::MAX);
        let special = if params.ignore_eos {
            SpecialTokens::default()
        } else {
            self.loaded.special.clone()
        };
        let generation = GenerateRequest {
            prompt: PromptInput::Tokens(ids),
            max_tokens: Some(params.max_tokens.unwrap_or(MAX_TOKENS).min(room)),
            min_tokens: params.min_tokens.unwrap_or(0),
            special,
            stop: params.stop.clone(),
            sampling,
            choices: params.choices.unwrap_or(1),
            logprobs: params.logprobs.map(|top| LogprobsConfig {
                top: usize::try_from(top).unwrap_or(usize::MAX),
                basis: Basis::Model,
            }),
            score_prompt: params
                .score_prompt
                .map(|top| usize::try_from(top).unwrap_or(usize::MAX)),
            constraint,
            draft: params
                .draft
                .map_or(DRAFT, |draft| usize::try_from(draft).unwrap_or(usize::MAX)),
            deadline: None,
        };
        Ok((request, self.loaded.generator.check(generation)?))
    }
    /// The tokens of the texts that no repeated sequence reaches across.
    fn breakers(&self, dry: &Dry) -> Result<Vec<Vec<u32>>, EngineError> {
        let tokenizer = self.dialect().tokenizer();
        let encode = |text: &str| {
            tokenizer
                .encode(text, Special::Literal)
                .map_err(ProviderError::Encode)
        };
        let tokens: Result<_, ProviderError> = match &dry.breakers {
            Some(texts) => texts.iter().map(|text| encode(text)).collect(),
            None => Dry::BREAKERS.into_iter().map(encode).collect(),
        };
        Ok(tokens?)
    }
}
