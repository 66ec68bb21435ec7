//! One tool of a server.

use std::sync::Arc;

use engine::ToolDefinition;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use rmcp::model::CallToolRequestParams;
use serde_json::{Map, Value};
use tokio::task::AbortHandle;

use super::{BETWEEN, Connection, content};
use crate::tool::{CallContext, Tool, ToolOutput};

/// A tool that a server runs.
#[derive(Debug)]
pub(super) struct RemoteTool {
    definition: ToolDefinition,
    /// Its name at the server.
    name: String,
    connection: Arc<Connection>,
}

impl RemoteTool {
    pub(super) fn new(server: &str, tool: rmcp::model::Tool, connection: Arc<Connection>) -> Self {
        let name = tool.name.into_owned();
        let parameters = Value::Object(tool.input_schema.as_ref().clone());
        let mut definition = ToolDefinition::new(format!("{server}{BETWEEN}{name}"), parameters);
        if let Some(description) = tool.description {
            definition = definition.with_description(description);
        }
        Self {
            definition,
            name,
            connection,
        }
    }
}

impl Tool for RemoteTool {
    fn definition(&self) -> ToolDefinition {
        self.definition.clone()
    }

    fn call(&self, arguments: Map<String, Value>, _: CallContext) -> BoxFuture<'static, ToolOutput> {
        let connection = Arc::clone(&self.connection);
        let runtime = connection.runtime.clone();
        let request = CallToolRequestParams::new(self.name.clone()).with_arguments(arguments);
        async move {
            let asked = runtime.spawn(async move {
                let called = connection.service.call_tool(request).await;
                called.map_err(|error| format!("the server of the tool failed: {error}"))
            });
            let _abort = AbortOnDrop(asked.abort_handle());
            content::output(asked.await??)
        }
        .boxed()
    }
}

/// Ends a task when it is dropped: a call that is not wanted any more is not waited for.
struct AbortOnDrop(AbortHandle);

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        self.0.abort();
    }
}
