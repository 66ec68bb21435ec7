//! The body of a request: read within bounds of bytes and time, and parsed with the path of what is wrong in it.

use axum::body::Bytes;
use axum::extract::{FromRequest, Request};
use axum::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use axum::http::{HeaderMap, StatusCode};
use futures::StreamExt as _;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::error::Failure;
use crate::state::State;

/// The JSON of a request's body.
pub(crate) struct Body<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<State> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, state: &State) -> Result<Self, Failure> {
        let settings = state.settings();
        check_type(request.headers())?;
        let reading = read(request, settings.body_bytes);
        let bytes = tokio::time::timeout(settings.body_time, reading)
            .await
            .map_err(|_| Failure::new(StatusCode::REQUEST_TIMEOUT, "the body took too long"))??;
        parse(&bytes).map(Self)
    }
}

/// A page of another origin can send no such type unless it is let.
fn check_type(headers: &HeaderMap) -> Result<(), Failure> {
    if let Some(encoding) = headers.get(CONTENT_ENCODING)
        && encoding != "identity"
    {
        return Err(Failure::new(
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            format!("the body has the content-encoding {encoding:?}, and is read as it is alone"),
        ));
    }
    let given = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let essence = given.unwrap_or_default().split(';').next().unwrap_or_default();
    if essence.trim().eq_ignore_ascii_case("application/json") {
        return Ok(());
    }
    Err(Failure::new(
        StatusCode::UNSUPPORTED_MEDIA_TYPE,
        "the body has to be JSON, with a content-type of application/json",
    ))
}

async fn read(request: Request, most: usize) -> Result<Bytes, Failure> {
    let too_long = || {
        Failure::new(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body has more than {most} bytes"),
        )
    };
    let told = request.headers().get(CONTENT_LENGTH);
    let told = told.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if told.is_some_and(|length| length > most as u64) {
        return Err(too_long());
    }
    let mut pieces = request.into_body().into_data_stream();
    let mut bytes = Vec::new();
    while let Some(piece) = pieces.next().await {
        let piece =
            piece.map_err(|_| Failure::new(StatusCode::BAD_REQUEST, "the body broke off before its end"))?;
        if bytes.len() + piece.len() > most {
            return Err(too_long());
        }
        bytes.extend_from_slice(&piece);
    }
    Ok(bytes.into())
}

/// Reads JSON; what does not fit is named by its path.
///
/// # Errors
///
/// Status 400 with the path as the parameter.
pub(crate) fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Failure> {
    let mut reader = serde_json::Deserializer::from_slice(bytes);
    let value = serde_path_to_error::deserialize(&mut reader).map_err(|error| {
        // A number that is too large, or too deep a list, is JSON all the same.
        if error.inner().is_data() || serde_json::from_slice::<IgnoredAny>(bytes).is_ok() {
            of_field(error.path(), error.inner(), bytes)
        } else {
            no_json(error.inner())
        }
    })?;
    reader.end().map_err(|error| no_json(&error))?;
    Ok(value)
}

fn no_json(error: &serde_json::Error) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, format!("the body is no JSON: {error}"))
}

/// The failure of a value that is JSON, and not what its field takes.
fn of_field(at: &Path, error: &serde_json::Error, bytes: &[u8]) -> Failure {
    let path = at.to_string();
    let text = error.to_string();
    // Where a value stands in the text says less than its path.
    let fault = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(fault, _)| fault);
    let quoted = |prefix: &str| fault.strip_prefix(prefix)?.split('`').next();
    let field = ["unknown field `", "missing field `", "duplicate field `"]
        .into_iter()
        .find_map(quoted);
    let path = match (path.as_str(), field) {
        (".", Some(field)) => field.to_owned(),
        // The path of an unknown field may end with it already.
        (path, Some(field)) if path != field && !path.ends_with(&format!(".{field}")) => {
            format!("{path}.{field}")
        }
        (path, _) => path.to_owned(),
    };
    let expected = fault
        .strip_prefix("invalid type: ")
        .and_then(|fault| fault.rsplit_once(", expected "))
        .map(|(_, expected)| named(expected));
    let told = expected.and_then(|expected| Some((expected, found(at, bytes)?)));
    let said = |subject: &str| match &told {
        Some((expected, found)) => format!("{subject} is {found}, expected {expected}"),
        None => format!("{subject}: {fault}"),
    };
    match path.as_str() {
        "." => Failure::new(StatusCode::BAD_REQUEST, said("the body")),
        path => Failure::field(path, said(path)),
    }
}

/// The name of a type in JSON's words.
fn named(expected: &str) -> &str {
    match expected {
        "i64" | "u32" => "a whole number",
        "f32" => "a number",
        "a sequence" => "an array",
        "a map" => "an object",
        expected => expected,
    }
}

/// Characters of a value that a message repeats.
const SHOWN: usize = 80;

/// What stands at a path, as JSON that is cut where it is long.
fn found(at: &Path, bytes: &[u8]) -> Option<String> {
    let body: Value = serde_json::from_slice(bytes).ok()?;
    let mut value = &body;
    for segment in at {
        value = match segment {
            Segment::Seq { index } => value.get(index)?,
            Segment::Map { key } => value.get(key)?,
            Segment::Enum { .. } | Segment::Unknown => return None,
        };
    }
    let text = value.to_string();
    match text.char_indices().nth(SHOWN) {
        Some((end, _)) => Some(format!("{}…", text.get(..end)?)),
        None => Some(text),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Outer {
        #[allow(dead_code, reason = "it is only read")]
        list: Vec<Inner>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Inner {
        #[allow(dead_code, reason = "it is only read")]
        number: i64,
    }

    fn refused(text: &str) -> (Option<String>, String) {
        let failure = parse::<Outer>(text.as_bytes()).unwrap_err();
        assert_eq!(failure.status, StatusCode::BAD_REQUEST);
        (failure.param, failure.message)
    }

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        for (text, path) in [
            (r#"{"list":[],"other":1}"#, "other"),
            (r#"{"list":[{"number":1},{"number":1,"more":2}]}"#, "list[1].more"),
            (r#"{"list":[{}]}"#, "list[0].number"),
            (r#"{"list":[{"number":"1"}]}"#, "list[0].number"),
            (r#"{"list":3}"#, "list"),
            ("{}", "list"),
        ] {
            let (param, message) = refused(text);
            assert_eq!(param.as_deref(), Some(path), "{message}");
            assert!(message.starts_with(path), "{message}");
        }
    }

    #[test]
    fn a_value_of_another_type_is_repeated_as_far_as_it_is_short() {
        let (_, message) = refused(r#"{"list":[{"number":[1,"a"]}]}"#);
        assert_eq!(message, r#"list[0].number is [1,"a"], expected a whole number"#);
        let (_, message) = refused(&format!(r#"{{"list":"{}"}}"#, "é".repeat(1_000)));
        assert!(message.contains("é…, expected an array"), "{message}");
        assert!(message.chars().count() < 150, "{message}");
        let (param, message) = refused("3");
        assert_eq!(
            (param, message.as_str()),
            (None, "the body is 3, expected struct Outer")
        );
    }

    #[test]
    fn a_number_that_is_too_large_is_named_by_its_path() {
        #[derive(Debug, Deserialize)]
        struct Sized {
            #[allow(dead_code, reason = "it is only read")]
            size: f32,
        }
        let failure = parse::<Sized>(br#"{"size":1e999}"#).unwrap_err();
        assert_eq!(failure.param.as_deref(), Some("size"), "{failure:?}");
    }

    #[test]
    fn what_is_no_json_is_said_to_be_none() {
        for text in ["", "{", r#"{"list":[]} x"#] {
            let (_, message) = refused(text);
            assert!(message.starts_with("the body"), "{message}");
        }
        let failure = parse::<Outer>(b"{\"list\xff\":[]}").unwrap_err();
        assert_eq!(failure.status, StatusCode::BAD_REQUEST);
    }
}
