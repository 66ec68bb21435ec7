//! Spans and events: what belongs to a request can be told from what belongs to another.
//!
//! In a process of its own: whether anybody listens to an event is known to all threads together, and one that meets it for the
//! first time, without a listener, can have it forgotten for the others.
#![allow(clippy::unwrap_used)]

use std::fmt::Debug;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};

use engine::{Engine, EngineConfig};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use scripted::*;

#[allow(dead_code, reason = "other tests use the rest")]
#[path = "engine/scripted.rs"]
mod scripted;

/// Writes spans and events down, each a line: its name or message, its fields, and of events the span they lie in.
#[derive(Clone, Default)]
struct Written {
    lines: Arc<Mutex<Vec<String>>>,
    spans: Arc<AtomicU64>,
    entered: Arc<Mutex<Vec<u64>>>,
}

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        self.0.push_str(&format!(" {}={value:?}", field.name()));
    }
}

impl Subscriber for Written {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target().starts_with("engine")
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let id = self.spans.fetch_add(1, Ordering::SeqCst) + 1;
        let mut fields = Fields(format!("span {id}: {}", span.metadata().name()));
        span.record(&mut fields);
        self.lines.lock().unwrap().push(fields.0);
        Id::from_u64(id)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn event(&self, event: &Event<'_>) {
        let parent = event.parent().map(Id::into_u64);
        let span = parent.or_else(|| self.entered.lock().unwrap().last().copied());
        let mut fields = Fields(format!("in {span:?}:"));
        event.record(&mut fields);
        self.lines.lock().unwrap().push(fields.0);
    }

    fn enter(&self, span: &Id) {
        self.entered.lock().unwrap().push(span.into_u64());
    }

    fn exit(&self, _: &Id) {
        self.entered.lock().unwrap().pop();
    }
}

#[test]
fn each_request_has_a_span_with_its_number_and_its_outcome() {
    let written = Written::default();
    tracing::subscriber::with_default(written.clone(), || {
        let engine = Engine::new(EngineConfig::named("tested")).unwrap();
        let mut first = engine.coordinate_generation(request(), || {
            tracing::info!(target: "engine::tested", "begins");
            generation(story())
        });
        let second = engine.coordinate_generation(request(), || generation(story()));
        assert!(next(&mut first).is_ok());
        assert!(written.entered.lock().unwrap().is_empty(), "left after a poll");
        drop(second);
        drop(items(first));
    });
    let lines = written.lines.lock().unwrap();
    assert_eq!(
        *lines,
        [
            "span 1: request engine=\"tested\" id=1",
            "span 2: request engine=\"tested\" id=2",
            // What a backend tells lies in its request's span.
            "in Some(1): message=begins",
            "in Some(2): message=request ended outcome=Cancelled tokens=0",
            "in Some(1): message=request ended outcome=Completed tokens=3",
        ]
    );
}
