//! How a request fails: a status, a message, and in OpenAI's shape the field that is to blame.
//!
//! **A message tells nothing of this machine**: no path of a file and no address of another server.

use std::borrow::Cow;
use std::error::Error;

use axum::http::header::RETRY_AFTER;
use axum::http::{HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use engine::{BackendErrorKind, EngineError, GenerateError};
use providers::ProviderError;
use providers::remote::RemoteError;
use serde::Serialize;
use utoipa::ToSchema;

/// A failed request in OpenAI's shape.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorBody {
    error: ErrorDetail,
}

/// What went wrong.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ErrorDetail {
    /// What went wrong, for people.
    message: String,
    /// Whose fault it is, such as `invalid_request_error`.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The field that is to blame, as a path such as `messages[0].content`.
    param: Option<String>,
    /// What went wrong, for programs.
    code: Option<&'static str>,
}

/// Why a request gets no answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) code: Option<&'static str>,
    pub(crate) param: Option<String>,
    pub(crate) message: String,
    /// Seconds until it is worth to ask again.
    pub(crate) retry_after: Option<u64>,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, message: impl Into<String>) -> Self {
        Self {
            status,
            code: None,
            param: None,
            message: message.into(),
            retry_after: None,
        }
    }

    /// A method that there is none of at an address.
    pub(crate) fn of_method(method: &Method) -> Self {
        let message = format!("the address is not asked with {method}");
        Self::new(StatusCode::METHOD_NOT_ALLOWED, message)
    }

    /// A field that cannot be followed.
    pub(crate) fn field(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            param: Some(param.into()),
            ..Self::new(StatusCode::BAD_REQUEST, message)
        }
    }

    /// Something that the model or the server cannot do.
    pub(crate) fn unsupported(param: impl Into<String>, message: impl Into<String>) -> Self {
        Self::field(param, message).coded("unsupported")
    }

    pub(crate) fn coded(self, code: &'static str) -> Self {
        Self {
            code: Some(code),
            ..self
        }
    }

    /// Whether only the queue was full.
    pub(crate) fn is_queue_full(&self) -> bool {
        self.code == Some(QUEUE_FULL)
    }

    /// The same about the field of another name, where it is about `from`.
    pub(crate) fn renamed(self, from: &str, to: &str) -> Self {
        match &self.param {
            Some(param) if param == from => Self {
                param: Some(to.to_owned()),
                ..self
            },
            _ => self,
        }
    }

    pub(crate) fn after(self, seconds: u64) -> Self {
        Self {
            retry_after: Some(seconds.max(1)),
            ..self
        }
    }

    /// A task of this server that ended without a result.
    pub(crate) fn internal() -> Self {
        Self::new(StatusCode::INTERNAL_SERVER_ERROR, "the server failed").coded("internal_error")
    }

    /// The name of the kind in OpenAI's shape.
    pub(crate) fn kind(&self) -> &'static str {
        match self.status.as_u16() {
            401 => "authentication_error",
            403 => "permission_error",
            404 => "not_found_error",
            429 => "rate_limit_error",
            400..=499 => "invalid_request_error",
            _ => "server_error",
        }
    }

    /// The body in OpenAI's shape.
    pub(crate) fn body(&self) -> ErrorBody {
        ErrorBody {
            error: ErrorDetail {
                message: self.message.clone(),
                kind: self.kind(),
                param: self.param.clone(),
                code: self.code,
            },
        }
    }

    /// Puts what headers say into an answer.
    pub(crate) fn head(&self, mut response: Response) -> Response {
        *response.status_mut() = self.status;
        if let Some(seconds) = self.retry_after {
            response
                .headers_mut()
                .insert(RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        self.head(axum::Json(self.body()).into_response())
    }
}

/// A number that has to lie between two others.
pub(crate) fn bounded<T>(field: &str, value: Option<i64>, least: i64, most: i64) -> Result<Option<T>, Failure>
where
    T: TryFrom<i64>,
{
    let Some(number) = value else { return Ok(None) };
    let fits = (least..=most).contains(&number);
    match T::try_from(number) {
        Ok(number) if fits => Ok(Some(number)),
        _ => Err(Failure::field(
            field,
            format!("{field} is {number}, expected {least} to {most}"),
        )),
    }
}

/// The code of a request that found as many waiting as may wait.
const QUEUE_FULL: &str = "queue_full";

/// The names of the engine's fields, where those of the interface are others.
const NAMES: [(&str, &str); 11] = [
    ("choices", "n"),
    ("constraint", "response_format"),
    ("template_variables", "chat_template_kwargs"),
    ("the name of a template variable", "chat_template_kwargs"),
    ("the name of a tool", "tools"),
    ("the schema of a tool's parameters", "tools"),
    ("penalty_window", "repeat_last_n"),
    ("dry_window", "dry_penalty_last_n"),
    ("dry_breakers", "dry_sequence_breakers"),
    ("logprobs", "top_logprobs"),
    ("texts", "input"),
];

impl From<EngineError> for Failure {
    fn from(error: EngineError) -> Self {
        let message = told(&error);
        match error {
            EngineError::InvalidParameter {
                field,
                value,
                expected,
            } => {
                let named = NAMES.into_iter().find(|(engine, _)| *engine == field);
                let param = named.map_or(field, |(_, interface)| interface);
                // A phrase says more than the name of the field that it is about.
                let subject = if field.contains(' ') { field } else { param };
                Self::field(param, format!("{subject} is {value}, expected {expected}"))
            }
            EngineError::InvalidConfig { .. } => Self::internal(),
            EngineError::EmptyPrompt => Self::field("messages", message),
            EngineError::InvalidMessage { index, .. } => Self::field(format!("messages[{index}]"), message),
            EngineError::ToolsUnsupported { field, .. } => Self::unsupported(field, message),
            EngineError::EmbeddingsUnsupported { .. } => Self::unsupported("model", message),
            EngineError::ContextOverflow { .. } => {
                Self::field("messages", message).coded("context_length_exceeded")
            }
            EngineError::QueueFull { .. } => Self::new(StatusCode::TOO_MANY_REQUESTS, message)
                .coded(QUEUE_FULL)
                .after(1),
            EngineError::NotReady { .. } => Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
                .coded("not_ready")
                .after(1),
            EngineError::DeadlineExceeded { .. } => {
                Self::new(StatusCode::GATEWAY_TIMEOUT, message).coded("deadline_exceeded")
            }
            EngineError::CircuitOpen { retry_after } => Self::new(StatusCode::SERVICE_UNAVAILABLE, message)
                .coded("circuit_open")
                .after(retry_after.as_secs().saturating_add(1)),
            EngineError::Backend { kind, source } => Self::of_backend(kind, source.as_ref(), message),
            _ => Self::new(StatusCode::INTERNAL_SERVER_ERROR, message).coded("backend_error"),
        }
    }
}

impl Failure {
    fn of_backend(kind: BackendErrorKind, source: &(dyn Error + 'static), message: String) -> Self {
        let param = match source.downcast_ref::<ProviderError>() {
            Some(ProviderError::UnreadVariable { name, .. }) => match name.as_str() {
                "reasoning_effort" => Some("reasoning_effort".to_owned()),
                name => Some(format!("chat_template_kwargs.{name}")),
            },
            Some(ProviderError::TemplateWithoutTools { .. } | ProviderError::UnknownToolFormat { .. }) => {
                Some("tools".to_owned())
            }
            Some(_) => Some("messages".to_owned()),
            None if is_of_constraint(source) => Some(CONSTRAINT.to_owned()),
            None => None,
        };
        let (status, code) = match kind {
            BackendErrorKind::Request => (StatusCode::BAD_REQUEST, None),
            BackendErrorKind::Unavailable => (StatusCode::SERVICE_UNAVAILABLE, Some("backend_unavailable")),
            BackendErrorKind::Overloaded => (StatusCode::TOO_MANY_REQUESTS, Some("backend_overloaded")),
            BackendErrorKind::Timeout => (StatusCode::GATEWAY_TIMEOUT, Some("backend_timeout")),
            BackendErrorKind::Malformed => (StatusCode::BAD_GATEWAY, Some("backend_malformed")),
            _ => (StatusCode::INTERNAL_SERVER_ERROR, Some("backend_error")),
        };
        let failure = Self {
            param,
            code,
            ..Self::new(status, message)
        };
        match kind {
            BackendErrorKind::Unavailable | BackendErrorKind::Overloaded => failure.after(1),
            _ => failure,
        }
    }
}

/// The field that says what an answer has to be, unless another does.
pub(crate) const CONSTRAINT: &str = "response_format";

/// Whether what an answer has to be cannot be followed.
fn is_of_constraint(source: &(dyn Error + 'static)) -> bool {
    matches!(
        source.downcast_ref::<GenerateError>(),
        Some(GenerateError::InvalidConstraint { .. } | GenerateError::ConstraintFailed { .. })
    )
}

/// The error and its causes in one line, without anything that is this machine's business.
fn told(error: &EngineError) -> String {
    let mut text = String::new();
    let mut cause: Option<&(dyn Error + 'static)> = Some(error);
    while let Some(error) = cause {
        let (said, is_last) = one(error);
        if !said.is_empty() && !text.ends_with(said.as_ref()) {
            if !text.is_empty() {
                text.push_str(": ");
            }
            text.push_str(&said);
        }
        cause = if is_last { None } else { error.source() };
    }
    text
}

/// What one error says, and whether its causes are better left out.
fn one<'e>(error: &'e (dyn Error + 'static)) -> (Cow<'e, str>, bool) {
    if let Some(error) = error.downcast_ref::<ProviderError>() {
        return match error {
            ProviderError::UnreadVariable { name, .. } => (
                format!("the model's chat template does not read {name:?}").into(),
                true,
            ),
            ProviderError::NoTemplate { .. } => (
                "the model has no chat template, so it takes raw prompts only".into(),
                true,
            ),
            ProviderError::UnusableTemplate { .. } => {
                ("the model's chat template cannot be used".into(), true)
            }
            ProviderError::TemplateWithoutTools { .. } => (
                "the model's chat template does not declare tools, so the model takes none".into(),
                true,
            ),
            ProviderError::UnknownToolFormat { .. } => (
                "the model's chat template writes calls of tools in no known format".into(),
                true,
            ),
            ProviderError::NothingToContinue { .. } => (
                "the prompt is empty, and the model has no start token to continue from".into(),
                true,
            ),
            ProviderError::File(_) | ProviderError::Load { .. } | ProviderError::OtherFamily { .. } => {
                ("the model cannot be used".into(), true)
            }
            error => (error.to_string().into(), false),
        };
    }
    match error.downcast_ref::<RemoteError>() {
        Some(RemoteError::Status { message, .. } | RemoteError::Reported { message, .. }) => {
            (message.as_str().into(), true)
        }
        Some(RemoteError::CannotCount { of, .. }) => {
            (format!("the backend counts no tokens of {of}").into(), true)
        }
        Some(_) => ("".into(), true),
        None => (error.to_string().into(), false),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_is_named_as_the_interface_names_it() {
        let failure = Failure::from(EngineError::InvalidParameter {
            field: "choices",
            value: "99".to_owned(),
            expected: "fewer",
        });
        assert_eq!(failure.param.as_deref(), Some("n"));
        assert_eq!(failure.message, "n is 99, expected fewer");
    }

    #[test]
    fn no_path_and_no_address_is_told() {
        let path = std::path::PathBuf::from("/home/somebody/model.gguf");
        let unread = ProviderError::UnreadVariable {
            path: path.clone(),
            name: "x".to_owned(),
        };
        let unreachable = RemoteError::Unfinished {
            endpoint: "http://10.0.0.1".to_owned(),
        };
        for error in [
            EngineError::from(unread),
            ProviderError::NoTemplate { path }.into(),
            unreachable.into(),
        ] {
            let failure = Failure::from(error);
            assert!(!failure.message.contains("somebody"), "{failure:?}");
            assert!(!failure.message.contains("10.0"), "{failure:?}");
            assert!(!failure.message.is_empty());
        }
    }

    #[test]
    fn a_number_out_of_its_bounds_is_named_with_them() {
        let failure = bounded::<u32>("max_tokens", Some(-1), 1, 10).unwrap_err();
        assert_eq!(failure.message, "max_tokens is -1, expected 1 to 10");
        assert_eq!(bounded::<u32>("max_tokens", Some(3), 1, 10), Ok(Some(3)));
        assert_eq!(bounded::<u32>("max_tokens", None, 1, 10), Ok(None));
    }
}
