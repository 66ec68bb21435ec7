//! The page at `/`: files that are part of the program, with types, tags and a strict policy.
//!
//! **Nothing of another origin is loaded, and no script that stands in a page's text runs.**

use std::sync::LazyLock;

use axum::extract::Request;
use axum::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode};
use axum::response::{IntoResponse, Response};
use sha2::{Digest as _, Sha256};

use crate::error::Failure;

include!(concat!(env!("OUT_DIR"), "/page.rs"));

/// What the browser may load and run.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; font-src 'self'; \
                      connect-src 'self'; manifest-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

/// A file of the page.
struct File {
    path: &'static str,
    bytes: &'static [u8],
    tag: String,
}

static TAGGED: LazyLock<Vec<File>> = LazyLock::new(|| {
    let tag = |bytes: &[u8]| {
        let digest = Sha256::digest(bytes);
        let digits: String = digest.iter().take(12).map(|byte| format!("{byte:02x}")).collect();
        format!("\"{digits}\"")
    };
    FILES
        .iter()
        .map(|(path, bytes)| File {
            path,
            bytes,
            tag: tag(bytes),
        })
        .collect()
});

/// What there is at the address of `request`, if it is that of a file.
pub(crate) fn answer(request: &Request) -> Option<Result<Response, Failure>> {
    let path = match request.uri().path() {
        "/" => "index.html",
        path => path.strip_prefix('/')?,
    };
    let file = TAGGED.iter().find(|file| file.path == path)?;
    if !matches!(*request.method(), Method::GET | Method::HEAD) {
        return Some(Err(Failure::of_method(request.method())));
    }
    let known = request.headers().get(IF_NONE_MATCH);
    Some(Ok(file.response(known.and_then(|tags| tags.to_str().ok()))))
}

impl File {
    /// * `known`: the tags that the client has the file of.
    fn response(&self, known: Option<&str>) -> Response {
        let unchanged = known.is_some_and(|tags| {
            let tags = tags.split(',').map(|tag| tag.trim().trim_start_matches("W/"));
            tags.into_iter().any(|tag| tag == self.tag || tag == "*")
        });
        let mut response = if unchanged {
            StatusCode::NOT_MODIFIED.into_response()
        } else {
            self.bytes.into_response()
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type(self.path)));
        // It is asked for each time, and told again only where it has changed.
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        if let Ok(tag) = HeaderValue::from_str(&self.tag) {
            headers.insert(ETAG, tag);
        }
        for (name, value) in [
            (CONTENT_SECURITY_POLICY, POLICY),
            (HeaderName::from_static("referrer-policy"), "no-referrer"),
            (
                HeaderName::from_static("cross-origin-opener-policy"),
                "same-origin",
            ),
            (
                HeaderName::from_static("cross-origin-resource-policy"),
                "same-origin",
            ),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        response
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("txt" | "md") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file() -> File {
        File {
            path: "main.js",
            bytes: b"export {};",
            tag: "\"abc\"".to_owned(),
        }
    }

    #[test]
    fn a_file_has_its_type_and_a_policy_that_runs_no_text() {
        let response = file().response(None);
        assert_eq!(response.status(), StatusCode::OK);
        assert_eq!(response.headers()[CONTENT_TYPE], "text/javascript; charset=utf-8");
        let policy = response.headers()[CONTENT_SECURITY_POLICY].to_str().unwrap();
        assert!(
            policy.starts_with("default-src 'none'; script-src 'self';"),
            "{policy}"
        );
        assert!(!policy.contains("unsafe"), "{policy}");
    }

    #[test]
    fn a_file_that_is_known_is_not_sent_again() {
        for (known, status) in [
            ("\"abc\"", StatusCode::NOT_MODIFIED),
            ("\"x\", W/\"abc\"", StatusCode::NOT_MODIFIED),
            ("\"x\"", StatusCode::OK),
        ] {
            let response = file().response(Some(known));
            assert_eq!(response.status(), status, "{known}");
            assert_eq!(response.headers()[ETAG], "\"abc\"");
        }
    }
}
