//! `/tokenize`, `/detokenize`, `/apply-template`: what the model sees of a text.

use axum::Json;
use axum::extract::State as Extract;
use axum::response::{IntoResponse as _, Response};
use engine::{CandleCompletionParams, Message as Said, ToolDefinition};
use models::Special;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use utoipa::ToSchema;

use crate::body::Body;
use crate::chat_completions::{self, Message};
use crate::error::Failure;
use crate::logprobs;
use crate::model::Model;
use crate::routes::Refusals;
use crate::shape::{NameOr, always_schema, only_objects, unused};
use crate::sse;
use crate::state::State;
use crate::tools::{self, ChoiceMode, NamedTool, Tool};

only_objects!(TokenizeRequest, DetokenizeRequest, TemplateRequest);

/// A text or a chat whose tokens are asked for: one of `content`, `prompt` and `messages`.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct TokenizeRequest {
    /// The id of the model; absent: the one that is served.
    model: Option<String>,
    /// A text.
    content: Option<String>,
    /// The same, by its other name.
    prompt: Option<String>,
    /// A chat, which the template renders.
    #[schema(min_items = 1)]
    messages: Option<Vec<Message>>,
    /// Tools that the template declares.
    tools: Option<Vec<Tool>>,
    /// Whether a start token is put before a text, where the model wants one. Absent: it is.
    add_special: Option<bool>,
    /// Whether names of special tokens stand for them. Absent: they do.
    parse_special: Option<bool>,
    /// Whether the texts of the tokens are told as well.
    with_pieces: Option<bool>,
    /// A chat is always followed by the beginning of an answer.
    #[schema(schema_with = always_schema)]
    add_generation_prompt: Option<bool>,
}

/// Tokens.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Tokens {
    tokens: Vec<u32>,
    count: usize,
    /// Most tokens that prompt and answer may have together.
    max_model_len: usize,
    #[serde(skip_serializing_if = "Option::is_none")]
    pieces: Option<Vec<String>>,
}

/// Tokens of a text or a chat
#[utoipa::path(
    post,
    path = "/tokenize",
    tag = "tokens",
    request_body = TokenizeRequest,
    responses((status = 200, description = "The tokens", body = Tokens), Refusals)
)]
pub(crate) async fn tokenize(
    Extract(state): Extract<State>,
    Body(request): Body<TokenizeRequest>,
) -> Result<Response, Failure> {
    let model = named(&state, request.model.as_deref())?;
    let unused = thoughts(request.messages.as_deref().unwrap_or_default());
    let encoding = tokio::task::spawn_blocking(move || {
        let tokens = request.encode(&model)?;
        let tokenizer = model.spelling("content")?;
        let piece = |token: &u32| logprobs::text(tokenizer, *token);
        let pieces = request.with_pieces == Some(true);
        Ok::<_, Failure>(Json(Tokens {
            count: tokens.len(),
            max_model_len: model.provider().context_length(),
            pieces: pieces.then(|| tokens.iter().map(piece).collect()),
            tokens,
        }))
    });
    let tokens = encoding.await.map_err(|_| Failure::internal())??;
    Ok(sse::with_unused(tokens.into_response(), &unused))
}

/// The name of what messages hold that no template is shown, if they hold some.
fn thoughts(messages: &[Message]) -> Vec<&'static str> {
    let thought = messages.iter().any(|message| message.reasoning_content.is_some());
    unused([("messages.reasoning_content", thought)])
}

fn named(state: &State, name: Option<&str>) -> Result<std::sync::Arc<Model>, Failure> {
    match name {
        Some(name) => state.model_named(name),
        None => state.model(),
    }
}

impl TokenizeRequest {
    fn encode(&self, model: &Model) -> Result<Vec<u32>, Failure> {
        let tokenizer = model.spelling("content")?;
        let unencodable = |_| Failure::field("content", "the text cannot be split into tokens");
        let special = match self.parse_special {
            Some(false) => Special::Literal,
            _ => Special::Parse,
        };
        if self.add_generation_prompt == Some(false) {
            let field = "add_generation_prompt";
            return Err(Failure::unsupported(
                field,
                "a chat is always followed by the beginning of an answer",
            ));
        }
        match (&self.content, &self.prompt, &self.messages) {
            (Some(text), None, None) | (None, Some(text), None) => {
                if self.tools.is_some() {
                    return Err(Failure::field("tools", "tools go with messages alone"));
                }
                let mut tokens = tokenizer.encode(text, special).map_err(unencodable)?;
                let start = tokenizer.bos().filter(|_| tokenizer.adds_bos());
                if self.add_special != Some(false)
                    && let Some(start) = start
                    && tokens.first() != Some(&start)
                {
                    tokens.insert(0, start);
                }
                Ok(tokens)
            }
            (None, None, Some(chat)) => {
                if self.add_special.is_some() || self.parse_special.is_some() {
                    let message = "add_special and parse_special go with a text alone";
                    return Err(Failure::field("add_special", message));
                }
                let tools = self.tools.clone().unwrap_or_default();
                let params = CandleCompletionParams {
                    tools: tools.into_iter().map(ToolDefinition::from).collect(),
                    ..CandleCompletionParams::default()
                };
                let text = render(model, &chat_completions::chat(chat.clone())?, &params)?;
                tokenizer.encode_prompt(&text).map_err(unencodable)
            }
            _ => Err(Failure::field(
                "content",
                "expected one of content, prompt and messages",
            )),
        }
    }
}

/// The prompt that a chat becomes.
fn render(model: &Model, messages: &[Said], params: &CandleCompletionParams) -> Result<String, Failure> {
    let Some(dialect) = model.dialect() else {
        let message = "the template of this model is not known to this server";
        return Err(Failure::unsupported("messages", message));
    };
    let prompt = engine::CandlePrompt::chat(messages);
    engine::Request::for_capabilities(&prompt, params, model.provider().capabilities())?;
    let rendered = dialect.render_for(messages, params);
    rendered.map_err(|error| engine::EngineError::from(error).into())
}

/// Tokens whose text is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct DetokenizeRequest {
    /// The id of the model; absent: the one that is served.
    model: Option<String>,
    /// The ids.
    tokens: Vec<u32>,
}

/// A text.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Detokenized {
    /// The text; special tokens are left out, and bytes that are no characters are replaced.
    content: String,
}

/// Text of tokens
#[utoipa::path(
    post,
    path = "/detokenize",
    tag = "tokens",
    request_body = DetokenizeRequest,
    responses((status = 200, description = "The text", body = Detokenized), Refusals)
)]
pub(crate) async fn detokenize(
    Extract(state): Extract<State>,
    Body(request): Body<DetokenizeRequest>,
) -> Result<Json<Detokenized>, Failure> {
    let model = named(&state, request.model.as_deref())?;
    let tokenizer = model.spelling("tokens")?;
    let known = tokenizer.vocab_size();
    if let Some(index) = request.tokens.iter().position(|token| *token as usize >= known) {
        let field = format!("tokens[{index}]");
        let message = format!("{field} is none of the model's {known} tokens");
        return Err(Failure::field(field, message));
    }
    let content = tokenizer
        .decode(&request.tokens)
        .map_err(|_| Failure::field("tokens", "a token has no text"))?;
    Ok(Json(Detokenized { content }))
}

/// A chat whose prompt is asked for.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct TemplateRequest {
    /// The id of the model; absent: the one that is served.
    model: Option<String>,
    /// The chat, oldest message first.
    #[schema(min_items = 1)]
    messages: Vec<Message>,
    /// Tools that the template declares.
    tools: Option<Vec<Tool>>,
    /// With `none`, no tools are declared.
    tool_choice: Option<NameOr<ChoiceMode, NamedTool>>,
    /// How much the model thinks, in the words of its chat template.
    reasoning_effort: Option<String>,
    /// Variables of the chat template.
    #[schema(value_type = Option<Object>)]
    chat_template_kwargs: Option<Map<String, Value>>,
}

/// What the model is given.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Rendered {
    /// The prompt, with special tokens by their names.
    prompt: String,
}

/// The prompt that a chat becomes
#[utoipa::path(
    post,
    path = "/apply-template",
    tag = "tokens",
    request_body = TemplateRequest,
    responses((status = 200, description = "The prompt", body = Rendered), Refusals)
)]
pub(crate) async fn apply_template(
    Extract(state): Extract<State>,
    Body(request): Body<TemplateRequest>,
) -> Result<Response, Failure> {
    let model = named(&state, request.model.as_deref())?;
    let unused = thoughts(&request.messages);
    let rendering = tokio::task::spawn_blocking(move || {
        let tools = request.tools.into_iter().flatten();
        let params = CandleCompletionParams {
            tools: tools.map(ToolDefinition::from).collect(),
            tool_choice: request.tool_choice.map(tools::choice).unwrap_or_default(),
            reasoning_effort: request.reasoning_effort,
            template_variables: request.chat_template_kwargs.unwrap_or_default(),
            ..CandleCompletionParams::default()
        };
        let prompt = render(&model, &chat_completions::chat(request.messages)?, &params)?;
        Ok::<_, Failure>(Json(Rendered { prompt }))
    });
    let rendered = rendering.await.map_err(|_| Failure::internal())??;
    Ok(sse::with_unused(rendered.into_response(), &unused))
}
