//! What the description says beyond the types: how many there may be of something, names, headers of answers, the page.
//!
//! **Every figure is the one that requests are held to**: they come from [`crate::bounds`].

use serde_json::{Value, json};

use crate::bounds::{BIAS, CHOICES, PROMPTS, STOPS, TEXTS, TITLE, TOP};

/// Addresses whose answers may list fields that change nothing.
const LISTING: [&str; 8] = [
    "/v1/chat/completions",
    "/v1/completions",
    "/v1/responses",
    "/v1/embeddings",
    "/v1/messages",
    "/v1/messages/count_tokens",
    "/tokenize",
    "/apply-template",
];

/// Writes it into the description.
pub(super) fn write(api: &mut Value) {
    let schemas = &mut api["components"]["schemas"];
    for request in ["ChatRequest", "CompletionRequest"] {
        let of = &mut schemas[request]["properties"];
        of["n"]["maximum"] = CHOICES.into();
        let bias = &mut of["logit_bias"]["additionalProperties"];
        (bias["minimum"], bias["maximum"]) = ((-BIAS).into(), BIAS.into());
        let texts = texts(json!({"type": "string", "minLength": 1}), 0, STOPS);
        replace(&mut of["stop"], &[json!({"type": "null"}), texts.0, texts.1]);
    }
    for (request, field) in [
        ("ChatRequest", "top_logprobs"),
        ("CompletionRequest", "logprobs"),
        ("ResponseRequest", "top_logprobs"),
    ] {
        schemas[request]["properties"][field]["maximum"] = TOP.into();
    }
    let stops = &mut schemas["MessagesRequest"]["properties"]["stop_sequences"];
    stops["maxItems"] = STOPS.into();
    stops["items"]["minLength"] = 1.into();
    let prompts = texts(json!({"type": "string"}), 1, PROMPTS);
    replace(
        &mut schemas["CompletionRequest"]["properties"]["prompt"],
        &[prompts.0, prompts.1],
    );
    let inputs = texts(json!({"type": "string", "minLength": 1}), 1, TEXTS);
    replace(
        &mut schemas["EmbeddingsRequest"]["properties"]["input"],
        &[inputs.0, inputs.1],
    );
    // A character has a byte at least.
    schemas["ConversationRequest"]["properties"]["title"]["maxLength"] = TITLE.into();
    if let Some(items) = schemas.pointer_mut("/OneOrMany_InputItem/oneOf/1") {
        items["minItems"] = 1.into();
    }
    if let Some(schemas) = schemas.as_object_mut() {
        // Each of its places has bounds of its own.
        schemas.remove("OneOrMany_String");
    }
    for (path, methods) in api["paths"].as_object_mut().into_iter().flatten() {
        for (method, operation) in methods.as_object_mut().into_iter().flatten() {
            operation["operationId"] = name(method, path).into();
            headers(path, &mut operation["responses"]);
        }
    }
    api["paths"]["/"] = json!({"get": {
        "tags": ["server"],
        "summary": "The page",
        "description": "A page to chat with the model; its other files lie beside it.",
        "operationId": "get_page",
        "security": [{}],
        "responses": {
            "200": {"description": "It", "content": {"text/html": {"schema": {"type": "string"}}}},
            "304": {"description": "It is the one that the client has"},
        },
    }});
}

/// A name that no other operation has, such as `get_v1_models`.
fn name(method: &str, path: &str) -> String {
    let words = path.split(|c: char| !c.is_ascii_alphanumeric());
    let words = words.filter(|word| !word.is_empty());
    std::iter::once(method).chain(words).collect::<Vec<_>>().join("_")
}

/// A text, and a list of so many.
fn texts(text: Value, least: usize, most: usize) -> (Value, Value) {
    let list = json!({"type": "array", "items": text, "minItems": least, "maxItems": most});
    (text, list)
}

/// Says anew what a field may hold; what it is stays said.
fn replace(field: &mut Value, kinds: &[Value]) {
    let described = [Some(&*field), field.pointer("/oneOf/1")];
    let described = described
        .into_iter()
        .flatten()
        .find_map(|at| at.get("description"));
    *field = json!({"oneOf": kinds, "description": described});
}

/// Names the headers of the answers of an address.
fn headers(path: &str, responses: &mut Value) {
    let mut name = |status: &str, header: &str, description: &str, kind: &str| {
        if let Some(response) = responses.get_mut(status) {
            response["headers"][header] = json!({"description": description, "schema": {"type": kind}});
        }
    };
    for status in ["429", "503"] {
        let description = "Seconds until it is worth to ask again";
        name(status, "retry-after", description, "integer");
    }
    name("401", "www-authenticate", "How a key is sent", "string");
    name("201", "location", "The address of what is kept", "string");
    if LISTING.contains(&path) {
        let description =
            "The fields that were accepted and changed nothing, with commas between; absent: none";
        name("200", "x-unused-fields", description, "string");
    }
}
