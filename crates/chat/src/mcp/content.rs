//! What a server's tool gives back, as text for a model.
//!
//! What is no text is named, not dropped silently.

use rmcp::model::{CallToolResult, ContentBlock, ResourceContents};

use crate::tool::ToolOutput;

/// The result of a call: all texts, and a line for everything else.
pub(super) fn output(result: CallToolResult) -> ToolOutput {
    let mut lines: Vec<String> = result.content.iter().map(line).collect();
    if lines.is_empty()
        && let Some(value) = &result.structured_content
    {
        lines.push(value.to_string());
    }
    let text = lines.join("\n");
    match (result.is_error, text.is_empty()) {
        (Some(true), true) => Err("the tool failed and does not say why".into()),
        (Some(true), false) => Err(text.into()),
        _ => Ok(text),
    }
}

fn line(block: &ContentBlock) -> String {
    match block {
        ContentBlock::Text(text) => text.text.clone(),
        ContentBlock::Image(image) => format!("[an image of type {}, not shown]", image.mime_type),
        ContentBlock::Audio(audio) => format!("[a sound of type {}, not shown]", audio.mime_type),
        ContentBlock::Resource(resource) => match &resource.resource {
            ResourceContents::TextResourceContents { text, .. } => text.clone(),
            ResourceContents::BlobResourceContents { uri, .. } => format!("[{uri}, not shown]"),
            _ => "[a resource, not shown]".to_owned(),
        },
        ContentBlock::ResourceLink(resource) => format!("[see {}]", resource.uri),
        _ => "[something that is no text, not shown]".to_owned(),
    }
}
