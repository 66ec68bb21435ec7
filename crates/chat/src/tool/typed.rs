//! Tools made of functions whose arguments are a Rust type.
//!
//! The type is the only place where arguments are described: its schema is what the model is shown, what calls are held
//! against, and what the function is given.

use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;

use engine::ToolDefinition;
use futures::FutureExt as _;
use futures::future::BoxFuture;
use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{CallContext, Tool, ToolOutput};
use crate::errand::Errand;

/// A tool of an asynchronous function.
///
/// ```
/// use chat::{TypedTool, Toolbox};
///
/// /// Where to look.
/// #[derive(serde::Deserialize, schemars::JsonSchema)]
/// struct Place {
///     /// Name of the city.
///     city: String,
/// }
///
/// # fn main() -> Result<(), chat::ToolboxError> {
/// let weather = TypedTool::new("get_weather", "Tells the weather of a city.", |place: Place, _| async move {
///     Ok(format!("Rain in {}.", place.city))
/// });
/// let tools = Toolbox::new().with(weather)?;
/// assert_eq!(tools.definitions().count(), 1);
/// # Ok(())
/// # }
/// ```
pub struct TypedTool<A, F> {
    definition: ToolDefinition,
    function: F,
    arguments: PhantomData<fn(A)>,
}

impl<A, F, Fut> TypedTool<A, F>
where
    A: DeserializeOwned + JsonSchema,
    F: Fn(A, CallContext) -> Fut + Send + Sync,
    Fut: Future<Output = ToolOutput> + Send + 'static,
{
    /// A tool of `function`.
    ///
    /// * `name`: 1 to 64 of `A-Z`, `a-z`, `0-9`, `_`, `.` and `-`; a [`Toolbox`](super::Toolbox) takes no other.
    /// * `description`: what it does, for the model to read.
    pub fn new(name: impl Into<String>, description: impl Into<String>, function: F) -> Self {
        Self {
            definition: definition::<A>(name.into(), description.into()),
            function,
            arguments: PhantomData,
        }
    }

    /// The tool whose calls are held to the schema while the model writes them, where the provider can.
    #[must_use]
    pub fn with_strict(self, strict: bool) -> Self {
        let definition = self.definition.with_strict(strict);
        Self { definition, ..self }
    }
}

impl<A, F, Fut> Tool for TypedTool<A, F>
where
    A: DeserializeOwned + JsonSchema,
    F: Fn(A, CallContext) -> Fut + Send + Sync,
    Fut: Future<Output = ToolOutput> + Send + 'static,
{
    fn definition(&self) -> ToolDefinition {
        self.definition.clone()
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, ToolOutput> {
        match serde_json::from_value(Value::Object(arguments)) {
            Ok(arguments) => (self.function)(arguments, context).boxed(),
            Err(error) => futures::future::ready(Err(error.into())).boxed(),
        }
    }
}

impl<A, F> fmt::Debug for TypedTool<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TypedTool").field(&self.definition.name).finish()
    }
}

/// A tool of a function that blocks, such as one that reads files: each call runs on a thread of its own.
///
/// **Cancellation:** a thread cannot be ended from outside. A call whose time is over, or whose answer is dropped, is not
/// waited for any more; its function can look at [`CallContext::cancellation`] and return.
pub struct BlockingTool<A, F> {
    definition: ToolDefinition,
    function: Arc<F>,
    arguments: PhantomData<fn(A)>,
}

impl<A, F> BlockingTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(A, CallContext) -> ToolOutput + Send + Sync + 'static,
{
    /// A tool of `function`; see [`TypedTool::new`].
    pub fn new(name: impl Into<String>, description: impl Into<String>, function: F) -> Self {
        Self {
            definition: definition::<A>(name.into(), description.into()),
            function: Arc::new(function),
            arguments: PhantomData,
        }
    }
}

impl<A, F> Tool for BlockingTool<A, F>
where
    A: DeserializeOwned + JsonSchema + Send + 'static,
    F: Fn(A, CallContext) -> ToolOutput + Send + Sync + 'static,
{
    fn definition(&self) -> ToolDefinition {
        self.definition.clone()
    }

    fn call(&self, arguments: Map<String, Value>, context: CallContext) -> BoxFuture<'static, ToolOutput> {
        let function = Arc::clone(&self.function);
        let run = move || -> ToolOutput {
            let arguments = serde_json::from_value(Value::Object(arguments))?;
            function(arguments, context)
        };
        let errand = Errand::run("chat-tool", run);
        async move { errand.await? }.boxed()
    }
}

impl<A, F> fmt::Debug for BlockingTool<A, F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("BlockingTool")
            .field(&self.definition.name)
            .finish()
    }
}

/// The declaration of a tool whose arguments are an `A`: its schema without references, which templates show as it is.
fn definition<A: JsonSchema>(name: String, description: String) -> ToolDefinition {
    let settings = SchemaSettings::draft2020_12().with(|settings| {
        settings.inline_subschemas = true;
        settings.meta_schema = None;
    });
    let mut schema = settings.into_generator().into_root_schema_for::<A>();
    // The name and the purpose of a Rust type say nothing that the tool's own do not.
    schema.remove("title");
    schema.remove("description");
    ToolDefinition::new(name, schema.to_value()).with_description(description)
}
