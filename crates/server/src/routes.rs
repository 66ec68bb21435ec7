//! Which address is answered by what, and what stands before all of them.

use std::net::SocketAddr;

use axum::Router;
use axum::extract::Request;
use axum::http::header::{ALLOW, ETAG};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::middleware::{from_fn_with_state, map_response};
use axum::response::Response;
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};
use utoipa::IntoResponses;
use utoipa::OpenApi as _;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::error::{ErrorBody, Failure};
use crate::openapi::Api;
use crate::server::ServerError;
use crate::state::State;
use crate::{
    access, catalogue, chat_completions, completions, conversations, embeddings, gateway, health, messages,
    metrics, openapi, page, responses, tokens,
};

/// How any request may be refused.
#[derive(IntoResponses)]
#[allow(dead_code, reason = "it is only described")]
pub(crate) enum Refusals {
    /// The request cannot be followed; `param` names the field
    #[response(status = 400)]
    Request(ErrorBody),
    /// There is no key, or another
    #[response(status = 401)]
    Key(ErrorBody),
    /// It was sent to a name that is none of this machine's
    #[response(status = 403)]
    Host(ErrorBody),
    /// There is nothing of this name
    #[response(status = 404)]
    Absent(ErrorBody),
    /// The body took too long
    #[response(status = 408)]
    Slow(ErrorBody),
    /// The conversation was changed elsewhere
    #[response(status = 409)]
    Conflict(ErrorBody),
    /// The body is too long
    #[response(status = 413)]
    Long(ErrorBody),
    /// The body is no JSON
    #[response(status = 415)]
    Media(ErrorBody),
    /// As many requests wait as may; `retry-after` tells when to ask again
    #[response(status = 429)]
    Full(ErrorBody),
    /// The head of the request is too long
    #[response(status = 431)]
    Head(ErrorBody),
    /// The server failed
    #[response(status = 500)]
    Server(ErrorBody),
    /// The backend said something that makes no sense
    #[response(status = 502)]
    Backend(ErrorBody),
    /// Prompts are not answered, or not yet; `retry-after` tells when to ask again
    #[response(status = 503)]
    NotReady(ErrorBody),
    /// The answer took too long
    #[response(status = 504)]
    Late(ErrorBody),
}

/// The routes with what describes them.
pub(crate) fn described() -> (OpenApiRouter<State>, OpenApiRouter<State>) {
    let guarded = OpenApiRouter::with_openapi(Api::openapi())
        .routes(routes!(chat_completions::create))
        .routes(routes!(completions::create))
        .routes(routes!(responses::create))
        .routes(routes!(embeddings::create))
        .routes(routes!(messages::create))
        .routes(routes!(messages::count))
        .routes(routes!(catalogue::list))
        .routes(routes!(catalogue::one))
        .routes(routes!(tokens::tokenize))
        .routes(routes!(tokens::detokenize))
        .routes(routes!(tokens::apply_template))
        .routes(routes!(conversations::list, conversations::add))
        .routes(routes!(
            conversations::one,
            conversations::put,
            conversations::delete
        ))
        .routes(routes!(metrics::show));
    let open = OpenApiRouter::new()
        .routes(routes!(health::show))
        .routes(routes!(gateway::show))
        .routes(routes!(openapi::show));
    (guarded, open)
}

/// Everything that is answered.
///
/// # Errors
///
/// [`ServerError::Origin`] of a setting that is no origin.
pub(crate) fn router(state: &State, address: SocketAddr) -> Result<Router, ServerError> {
    let (guarded, open) = described();
    let guarded = guarded.route_layer(from_fn_with_state(state.clone(), access::authorize));
    let router: Router<State> = guarded.merge(open).into();
    let router = router
        .fallback(fallback)
        .method_not_allowed_fallback(async |request: Request| {
            access::shaped(Failure::of_method(request.method()), request.uri().path())
        })
        .layer(from_fn_with_state((state.clone(), address), access::check_host))
        .layer(map_response(harden));
    let router = match cors(&state.settings().cors_origins)? {
        Some(cors) => router.layer(cors),
        None => router,
    };
    let router = router.layer(from_fn_with_state(state.clone(), access::observe));
    Ok(router.with_state(state.clone()))
}

/// A file of the page, or nothing.
async fn fallback(request: Request) -> Response {
    let failure = match page::answer(&request) {
        Some(Ok(response)) => return response,
        Some(Err(failure)) => {
            let mut response = access::shaped(failure, request.uri().path());
            let methods = HeaderValue::from_static("GET,HEAD");
            response.headers_mut().insert(ALLOW, methods);
            return response;
        }
        None => Failure::new(StatusCode::NOT_FOUND, "there is nothing at this address"),
    };
    access::shaped(failure, request.uri().path())
}

/// No browser guesses what an answer is.
async fn harden(mut response: Response) -> Response {
    let headers = response.headers_mut();
    headers.insert("x-content-type-options", HeaderValue::from_static("nosniff"));
    // Answers are for whoever asked; files of the page have their own tags.
    if !headers.contains_key(ETAG) && !headers.contains_key("cache-control") {
        headers.insert("cache-control", HeaderValue::from_static("no-store"));
    }
    response
}

/// Lets pages of these origins read answers; of none without any.
fn cors(origins: &[String]) -> Result<Option<CorsLayer>, ServerError> {
    if origins.is_empty() {
        return Ok(None);
    }
    let allowed = if origins.iter().any(|origin| origin == "*") {
        AllowOrigin::any()
    } else {
        let parsed: Result<Vec<_>, _> = origins.iter().map(|origin| parse_origin(origin)).collect();
        AllowOrigin::list(parsed?)
    };
    let layer = CorsLayer::new()
        .allow_origin(allowed)
        .allow_methods([Method::GET, Method::POST, Method::PUT, Method::DELETE])
        .allow_headers(AllowHeaders::mirror_request())
        .expose_headers([
            HeaderName::from_static("x-unused-fields"),
            HeaderName::from_static("retry-after"),
        ]);
    Ok(Some(layer))
}

fn parse_origin(origin: &str) -> Result<HeaderValue, ServerError> {
    let invalid = || ServerError::Origin {
        origin: origin.to_owned(),
    };
    let uri: axum::http::Uri = origin.parse().map_err(|_| invalid())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else {
        return Err(invalid());
    };
    let usual = match scheme {
        "http" => Some(80),
        "https" => Some(443),
        _ => None,
    };
    // What a browser sends is compared letter by letter.
    let is_sent = origin == format!("{scheme}://{authority}").to_ascii_lowercase()
        && !authority.as_str().contains(['@', '*'])
        && !authority.host().is_empty()
        && !authority.as_str().ends_with(':')
        && (usual.is_none() || authority.port_u16() != usual);
    if !is_sent {
        return Err(invalid());
    }
    HeaderValue::from_str(origin).map_err(|_| invalid())
}
