//! Why a server cannot be spoken to, from the outermost cause to the innermost, on one line.

use std::error::Error;

use rmcp::service::{ClientInitializeError, ServiceError};
use rmcp::transport::streamable_http_client::StreamableHttpError;

use super::address;

/// An error and its causes; one that its parent quotes already is not said twice.
pub(super) fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = shown(error);
    let mut cause = below(error);
    while let Some(error) = cause {
        let next = shown(error);
        if !text.ends_with(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = below(error);
    }
    text
}

/// Why a server and this program have not agreed on how to go on.
pub(super) fn of_handshake(error: &ClientInitializeError) -> String {
    match error {
        // What lies below is no source of it, and says why: that a connection is refused, say.
        ClientInitializeError::TransportError { error, .. } => chain(&*error.error),
        error => chain(error),
    }
}

/// Why a server's tools are not known.
pub(super) fn of_list(error: &ServiceError) -> String {
    match error {
        ServiceError::TransportSend(error) => chain(&*error.error),
        error => chain(error),
    }
}

type HttpError = StreamableHttpError<reqwest::Error>;

/// An error's message, without what may be secret in an address.
fn shown(error: &(dyn Error + 'static)) -> String {
    if let Some(HttpError::Client(error)) = error.downcast_ref() {
        return shown(error);
    }
    let text = error.to_string();
    match error
        .downcast_ref::<reqwest::Error>()
        .and_then(reqwest::Error::url)
    {
        Some(url) => text.replace(url.as_str(), &address(url.as_str())),
        None => text,
    }
}

fn below<'a>(error: &'a (dyn Error + 'static)) -> Option<&'a (dyn Error + 'static)> {
    match error.downcast_ref() {
        Some(HttpError::Client(error)) => error.source(),
        _ => error.source(),
    }
}
