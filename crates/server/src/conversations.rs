//! `/conversations`: conversations that are kept, of each key its own.
//!
//! **Nothing is written here**: [`chat::memory`] keeps them, in a file for each key, as it keeps those of a chat.

mod stores;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Extension, Path, State as Extract};
use axum::http::StatusCode;
use axum::http::header::LOCATION;
use axum::response::{IntoResponse as _, Response};
use chat::memory::{Archive, ConversationId, KeptTurn, Memory as _, MemoryError, Outline, Revision};
use engine::ToolCall;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::body::Body;
use crate::bounds::TITLE;
use crate::chat_completions::{Message, messages};
use crate::error::Failure;
use crate::keys::Owner;
use crate::routes::Refusals;
use crate::shape::only_objects;
use crate::state::State;
use crate::tools::Call;
pub(crate) use stores::Stores;

only_objects!(ConversationRequest, RewriteRequest, TurnRequest);

/// A conversation as it is sent.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct ConversationRequest {
    /// Its title, at most 1,000 bytes; may be empty.
    title: String,
    /// Its turns, oldest first.
    turns: Vec<TurnRequest>,
}

/// What is to be kept in the place of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct RewriteRequest {
    /// Its title, at most 1,000 bytes; may be empty.
    title: String,
    /// Its turns, oldest first.
    turns: Vec<TurnRequest>,
    /// The revision that these turns follow: if the conversation has another one by then, status 409, and nothing is
    /// written. Absent: whatever is there is replaced.
    revision: Option<i64>,
}

/// A turn as it is sent.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, remote = "Self")]
pub(crate) struct TurnRequest {
    /// What the user said.
    user: String,
    /// What the model answered in the end.
    answer: String,
    /// What the model thought.
    reasoning: Option<String>,
    /// Calls of tools and their results, which came between the two.
    between: Option<Vec<Message>>,
    /// Calls of tools that the answer ended with and that nothing ran.
    tool_calls: Option<Vec<Call>>,
    /// Whether the answer was stopped before its end.
    interrupted: Option<bool>,
}

/// All conversations of a key, the one that was last added to first.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationList {
    data: Vec<ConversationOutline>,
}

/// A conversation without its turns.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationOutline {
    id: i64,
    title: String,
    /// How many turns it has.
    turns: usize,
    /// When it was last added to, in seconds since 1970.
    updated: u64,
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ConversationBody {
    id: i64,
    title: String,
    /// When it was last added to, in seconds since 1970.
    updated: u64,
    /// Changes whenever its turns do.
    revision: i64,
    /// Its turns, oldest first.
    turns: Vec<TurnBody>,
}

/// A turn.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct TurnBody {
    user: String,
    answer: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(required = false)]
    reasoning: String,
    /// Messages in OpenAI's shape.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    between: Vec<engine::Message>,
    /// Calls in OpenAI's shape.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<Object>, required = false)]
    tool_calls: Vec<ToolCall>,
    interrupted: bool,
}

impl From<Outline> for ConversationOutline {
    fn from(outline: Outline) -> Self {
        Self {
            id: outline.id.0,
            updated: seconds(&outline),
            title: outline.title,
            turns: outline.turns,
        }
    }
}

fn seconds(outline: &Outline) -> u64 {
    let since = outline.updated.duration_since(std::time::UNIX_EPOCH);
    since.unwrap_or_default().as_secs()
}

impl From<KeptTurn> for TurnBody {
    fn from(turn: KeptTurn) -> Self {
        Self {
            user: turn.user,
            answer: turn.answer,
            reasoning: turn.reasoning,
            between: turn.between,
            tool_calls: turn.tool_calls,
            interrupted: turn.interrupted,
        }
    }
}

impl ConversationRequest {
    fn read(self) -> Result<(String, Vec<KeptTurn>), Failure> {
        kept(self.title, self.turns)
    }
}

impl RewriteRequest {
    fn read(self) -> Result<(String, Vec<KeptTurn>), Failure> {
        kept(self.title, self.turns)
    }
}

/// A title and turns as they are kept.
fn kept(title: String, turns: Vec<TurnRequest>) -> Result<(String, Vec<KeptTurn>), Failure> {
    if title.len() > TITLE {
        let message = format!("title has {} bytes, expected at most {TITLE}", title.len());
        return Err(Failure::field("title", message));
    }
    let turns = turns.into_iter().enumerate().map(|(number, turn)| {
        let between = messages(turn.between.unwrap_or_default()).map_err(|failure| Failure {
            param: failure.param.map(|param| {
                let within = param.strip_prefix("messages").unwrap_or(&param).to_owned();
                format!("turns[{number}].between{within}")
            }),
            ..failure
        })?;
        let calls = turn.tool_calls.into_iter().flatten();
        Ok(KeptTurn {
            user: turn.user,
            answer: turn.answer,
            reasoning: turn.reasoning.unwrap_or_default(),
            between,
            tool_calls: calls.map(ToolCall::from).collect(),
            interrupted: turn.interrupted.unwrap_or(false),
        })
    });
    Ok((title, turns.collect::<Result<_, Failure>>()?))
}

/// Conversations of the key
#[utoipa::path(
    get,
    path = "/conversations",
    tag = "conversations",
    responses((status = 200, description = "All of them, without their turns", body = ConversationList), Refusals)
)]
pub(crate) async fn list(
    Extract(state): Extract<State>,
    Extension(owner): Extension<Owner>,
) -> Result<Json<ConversationList>, Failure> {
    let listed = with_archive(&state, owner, |archive| Ok(archive.conversations()?)).await?;
    let data = listed.into_iter().map(ConversationOutline::from).collect();
    Ok(Json(ConversationList { data }))
}

/// Keeps a new conversation
#[utoipa::path(
    post,
    path = "/conversations",
    tag = "conversations",
    request_body = ConversationRequest,
    responses((status = 201, description = "It is kept", body = ConversationBody), Refusals)
)]
pub(crate) async fn add(
    Extract(state): Extract<State>,
    Extension(owner): Extension<Owner>,
    Body(request): Body<ConversationRequest>,
) -> Result<Response, Failure> {
    let (title, turns) = request.read()?;
    let kept = with_archive(&state, owner, move |archive| {
        let id = archive.begin_with(&title, &turns)?;
        read(archive, id)
    });
    let kept = kept.await?;
    let location = format!("/conversations/{}", kept.id);
    Ok((StatusCode::CREATED, [(LOCATION, location)], Json(kept)).into_response())
}

/// A conversation
#[utoipa::path(
    get,
    path = "/conversations/{id}",
    tag = "conversations",
    params(("id" = i64, Path, description = "Which one")),
    responses((status = 200, description = "It with its turns", body = ConversationBody), Refusals)
)]
pub(crate) async fn one(
    Extract(state): Extract<State>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<Json<ConversationBody>, Failure> {
    let id = path_id(id)?;
    let found = with_archive(&state, owner, move |archive| read(archive, id)).await?;
    Ok(Json(found))
}

/// Keeps a conversation as it is sent
///
/// Turns that it has already in the same place stay; those that differ or are missing go, and what follows is kept anew. With
/// `revision`, nothing that somebody else has written since is replaced.
#[utoipa::path(
    put,
    path = "/conversations/{id}",
    tag = "conversations",
    params(("id" = i64, Path, description = "Which one")),
    request_body = RewriteRequest,
    responses((status = 200, description = "It is kept", body = ConversationBody), Refusals)
)]
pub(crate) async fn put(
    Extract(state): Extract<State>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<i64>, PathRejection>,
    Body(request): Body<RewriteRequest>,
) -> Result<Json<ConversationBody>, Failure> {
    let id = path_id(id)?;
    let known = request.revision.map(Revision);
    let (title, turns) = request.read()?;
    let kept = with_archive(&state, owner, move |archive| {
        rewrite(archive, id, known, title, turns)
    });
    Ok(Json(kept.await?))
}

/// Deletes a conversation
#[utoipa::path(
    delete,
    path = "/conversations/{id}",
    tag = "conversations",
    params(("id" = i64, Path, description = "Which one")),
    responses((status = 204, description = "It is gone, with all its turns"), Refusals)
)]
pub(crate) async fn delete(
    Extract(state): Extract<State>,
    Extension(owner): Extension<Owner>,
    id: Result<Path<i64>, PathRejection>,
) -> Result<StatusCode, Failure> {
    let id = path_id(id)?;
    if with_archive(&state, owner, move |archive| Ok(archive.delete(id)?)).await? {
        Ok(StatusCode::NO_CONTENT)
    } else {
        Err(MemoryError::NoConversation { id }.into())
    }
}

/// Keeps a conversation as it is here.
///
/// * `known`: the revision that this follows; absent: whatever is there is replaced.
fn rewrite(
    archive: &Archive,
    id: ConversationId,
    known: Option<Revision>,
    title: String,
    turns: Vec<KeptTurn>,
) -> Result<ConversationBody, Failure> {
    let revision = loop {
        let before = archive.snapshot(id)?;
        let found = before.revision;
        if before.turns == turns {
            // Nothing is undone by what is there already.
            break found;
        }
        if let Some(known) = known.filter(|known| *known != found) {
            return Err(MemoryError::Changed { id, known, found }.into());
        }
        let pairs = before.turns.iter().zip(&turns);
        let same = pairs.take_while(|(before, turn)| before == turn).count();
        match archive.replace(id, same, found, turns.get(same..).unwrap_or_default()) {
            // Who was faster is replaced as well.
            Err(MemoryError::Changed { .. }) if known.is_none() => {}
            written => break written?,
        }
    };
    archive.rename(id, &title)?;
    Ok(ConversationBody {
        id: id.0,
        updated: seconds(&archive.outline(id)?),
        title,
        revision: revision.0,
        turns: turns.into_iter().map(TurnBody::from).collect(),
    })
}

fn path_id(id: Result<Path<i64>, PathRejection>) -> Result<ConversationId, Failure> {
    match id {
        Ok(Path(id)) => Ok(ConversationId(id)),
        Err(_) => Err(Failure::field("id", "the id of a conversation is a whole number")),
    }
}

fn read(archive: &Archive, id: ConversationId) -> Result<ConversationBody, Failure> {
    let outline = archive.outline(id)?;
    let kept = archive.snapshot(id)?;
    Ok(ConversationBody {
        id: id.0,
        updated: seconds(&outline),
        title: kept.title,
        revision: kept.revision.0,
        turns: kept.turns.into_iter().map(TurnBody::from).collect(),
    })
}

/// Does something with the owner's archive, on a thread that may wait for a file.
async fn with_archive<T: Send + 'static>(
    state: &State,
    owner: Owner,
    work: impl FnOnce(&Archive) -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    let Some(stores) = state.stores().cloned() else {
        return Err(
            Failure::new(StatusCode::NOT_FOUND, "this server keeps no conversations").coded("not_kept"),
        );
    };
    let done = tokio::task::spawn_blocking(move || stores.with(&owner, work));
    done.await.map_err(|_| Failure::internal())?
}

impl From<MemoryError> for Failure {
    fn from(error: MemoryError) -> Self {
        match error {
            MemoryError::NoConversation { .. } => Self::new(StatusCode::NOT_FOUND, error.to_string()),
            MemoryError::TurnNumber { .. } | MemoryError::Changed { .. } => {
                Self::new(StatusCode::CONFLICT, error.to_string()).coded("changed")
            }
            // The others name a file.
            _ => Self::new(
                StatusCode::INTERNAL_SERVER_ERROR,
                "the conversations cannot be read or written",
            )
            .coded("memory_failed"),
        }
    }
}
