//! From what a caller asks to what the generator is given: the prompt rendered, the parser chosen, every field placed.

use engine::{CandleCompletionModel as _, CandleCompletionParams, CandlePrompt, EngineError, Request};
use generator::{Basis, CheckedRequest, GenerateRequest, LogprobsConfig, PromptInput, SpecialTokens};

use super::LocalProvider;

/// Tokens guessed at once where a request does not say.
const DRAFT: usize = 16;

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
        let request = request.with_prompt_tokens(ids.len(), self.context_length())?;
        let sampling = params.sampling(self.loaded.generator.sampling());
        let special = if params.ignore_eos {
            SpecialTokens::default()
        } else {
            self.loaded.special.clone()
        };
        let generation = GenerateRequest {
            prompt: PromptInput::Tokens(ids),
            max_tokens: params.max_tokens,
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
}
