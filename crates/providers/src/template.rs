//! A chat template: the Jinja program a model file carries, which turns messages into the model's own prompt.
//!
//! It owns one invariant: a template is foreign code, so it runs without file or network access, under a
//! budget of work, and every way it can fail is a typed error. What it prints is what Python's Jinja2 prints
//! with `trim_blocks` and `lstrip_blocks`: published templates are written against that and nothing else.
//!
//! # Source
//!
//! Jinja2's template designer documentation; the names `raise_exception`, `strftime_now`, the JSON filter and
//! the `generation` block are those that published chat templates expect.

mod bounds;
mod clock;
pub(crate) mod conversation;
mod json;
mod list;
mod source;

use std::collections::BTreeSet;
use std::sync::Arc;

use minijinja::syntax::SyntaxConfig;
use minijinja::value::Rest;
use minijinja::{AutoEscape, Environment, ErrorKind, State, Value};
use minijinja_contrib::pycompat;

use crate::error::ProviderError;

use bounds::Place;

pub use json::Variables;

/// Work a template may do before it is stopped, whatever its input: about as many Jinja instructions, and
/// about 64 bytes of text each.
const BASE_FUEL: u64 = 2_000_000;

/// Nested blocks, loops and macros a template may open; Rust's stack is what this protects.
const RECURSION: usize = 128;

/// A parsed chat template; clones share it.
#[derive(Clone, Debug)]
pub struct ChatTemplate {
    original: Arc<str>,
    rewritten: source::Rewritten,
    /// Names of the variables that it reads from what it is given.
    read: Arc<BTreeSet<String>>,
}

impl ChatTemplate {
    /// Parses `source`, the template as the model file carries it.
    ///
    /// # Errors
    ///
    /// [`ProviderError::TemplateSyntax`] with the line where parsing stopped.
    pub fn parse(source: &str) -> Result<Self, ProviderError> {
        let template = Self {
            original: source.into(),
            rewritten: source::rewrite(source),
            read: Arc::default(),
        };
        let environment = template.environment(0, clock::now);
        let parsed = environment
            .template_from_str(&template.rewritten.text)
            .map_err(syntax_error)?;
        let mut read: BTreeSet<String> = parsed.undeclared_variables(false).into_iter().collect();
        // To the engine a variable that is set from itself is set already.
        read.extend(source::set_from_themselves(source).map(str::to_owned));
        for (function, _) in environment.globals() {
            read.remove(function);
        }
        Ok(Self {
            read: Arc::new(read),
            ..template.clone()
        })
    }

    /// Whether it reads the variable `name` from what it is given: a name that stands in its text, or that it sets
    /// before it reads it, is none.
    pub fn reads(&self, name: &str) -> bool {
        self.read.contains(name)
    }

    /// The template's text, as it was given.
    pub fn source(&self) -> &str {
        &self.original
    }

    /// Renders the prompt for `variables` (`messages`, `add_generation_prompt`, `bos_token`, …).
    ///
    /// Runs on the caller's thread and is bounded: a template that loops or builds too much text is stopped.
    /// A variable that is not given is undefined, which most templates test for.
    ///
    /// # Errors
    ///
    /// * [`ProviderError::TemplateRefused`] where the template itself refuses the messages.
    /// * [`ProviderError::TemplateBudget`] where it was stopped.
    /// * [`ProviderError::TemplateRender`] for every other failure, with its line.
    pub fn render(&self, variables: &Variables) -> Result<String, ProviderError> {
        self.render_at(variables, clock::now)
    }

    /// [`Self::render`] with the clock that `strftime_now` reads given by the caller.
    fn render_at(&self, variables: &Variables, clock: clock::Clock) -> Result<String, ProviderError> {
        let (context, bytes) = json::context(variables, self.rewritten.mutates_lists);
        let fuel = BASE_FUEL.saturating_add(bytes);
        let environment = self.environment(fuel, clock);
        let template = environment
            .template_from_str(&self.rewritten.text)
            .map_err(syntax_error)?;
        template
            .render(context)
            .map_err(|error| render_error(error, fuel))
    }

    /// An environment with Python's semantics and nothing that reaches outside the template.
    fn environment(&self, fuel: u64, clock: clock::Clock) -> Environment<'static> {
        let mut environment = Environment::new();
        if let Ok(syntax) = SyntaxConfig::builder()
            .trim_blocks(true)
            .lstrip_blocks(true)
            .build()
        {
            environment.set_syntax(syntax);
        }
        environment.set_auto_escape_callback(|_| AutoEscape::None);
        environment.set_recursion_limit(RECURSION);
        environment.set_fuel(Some(fuel));
        environment.add_filter("tojson", json::to_json);
        environment.add_filter("fromjson", json::from_json);
        environment.add_function("raise_exception", raise_exception);
        environment.add_function("strftime_now", move |format: &str| {
            clock::format(&clock(), format)
        });
        let mutable = self.rewritten.mutates_lists;
        environment.add_function(
            source::VARIABLE_FUNCTION,
            move |state: &State<'_, '_>, values: Rest<Value>| {
                bounds::bind(state, values, Place::Variable, mutable)
            },
        );
        environment.add_function(
            source::ATTRIBUTE_FUNCTION,
            move |state: &State<'_, '_>, values: Rest<Value>| {
                bounds::bind(state, values, Place::Attribute, mutable)
            },
        );
        if mutable {
            environment.add_function(source::LIST_FUNCTION, list::List::from_items);
            environment.add_filter("list", list::List::from_items);
            environment.set_unknown_method_callback(|state, value, method, args| {
                let result = pycompat::unknown_method_callback(state, value, method, args)?;
                list::mutable(state, result)
            });
        } else {
            environment.set_unknown_method_callback(pycompat::unknown_method_callback);
        }
        environment
    }
}

/// What `raise_exception` was called with; found again in the error that rendering ends with.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
struct Refusal(String);

fn raise_exception(_: &State<'_, '_>, message: Value) -> Result<Value, minijinja::Error> {
    let message = message.to_string();
    Err(minijinja::Error::new(ErrorKind::InvalidOperation, "raise_exception").with_source(Refusal(message)))
}

fn syntax_error(source: minijinja::Error) -> ProviderError {
    ProviderError::TemplateSyntax {
        line: source.line().unwrap_or(0),
        source,
    }
}

fn render_error(error: minijinja::Error, fuel: u64) -> ProviderError {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(&error);
    while let Some(current) = cause {
        if let Some(Refusal(message)) = current.downcast_ref() {
            return ProviderError::TemplateRefused {
                message: message.clone(),
            };
        }
        if let Some(inner) = current.downcast_ref::<minijinja::Error>()
            && inner.kind() == ErrorKind::OutOfFuel
        {
            return ProviderError::TemplateBudget { budget: fuel };
        }
        cause = current.source();
    }
    ProviderError::TemplateRender {
        line: error.line().unwrap_or(0),
        source: error,
    }
}

#[cfg(test)]
mod tests;
