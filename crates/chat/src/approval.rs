//! Whether a call may run: the question that is asked before every one.
//!
//! **Nothing runs without a yes.** A role that says nothing refuses all, and a hook that panics has said no.

use std::fmt;

use engine::{ToolCall, ToolDefinition};
use futures::channel::{mpsc, oneshot};
use futures::future::{BoxFuture, ready};
use futures::{FutureExt as _, SinkExt as _, StreamExt as _};
use serde_json::{Map, Value};

/// A call that is about to run: the tool exists, and its arguments fit.
#[derive(Clone, Debug)]
pub struct Proposal {
    /// The call, as the model made it.
    pub call: ToolCall,
    /// Its arguments, read.
    pub arguments: Map<String, Value>,
    /// The tool, as it is declared.
    pub tool: ToolDefinition,
}

/// What is said to a proposal.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Decision {
    /// The call runs.
    Allow,
    /// It does not, and the model is told so.
    Refuse {
        /// Why, for the model to read.
        reason: Option<String>,
    },
}

impl Decision {
    /// No, without a reason.
    pub fn refuse() -> Self {
        Decision::Refuse { reason: None }
    }
}

/// Says of each call whether it may run.
///
/// The calls of a round are asked about one after the other, in their order, each after its
/// [`Event::ToolCall`](crate::Event::ToolCall) was read; they run once all are decided. A closure
/// `Fn(&Proposal) -> Decision` is one.
pub trait Approval: Send + Sync {
    /// Decides. It may take as long as a person takes.
    ///
    /// # Cancellation
    ///
    /// The future is dropped with its answer; the call does not run then.
    fn decide(&self, proposal: Proposal) -> BoxFuture<'static, Decision>;
}

impl<F: Fn(&Proposal) -> Decision + Send + Sync> Approval for F {
    fn decide(&self, proposal: Proposal) -> BoxFuture<'static, Decision> {
        ready(self(&proposal)).boxed()
    }
}

/// Allows every call: for tools that can do no harm.
#[derive(Clone, Copy, Debug, Default)]
pub struct AllowAll;

impl Approval for AllowAll {
    fn decide(&self, _: Proposal) -> BoxFuture<'static, Decision> {
        ready(Decision::Allow).boxed()
    }
}

/// Refuses every call; what a role does that was told nothing else.
#[derive(Clone, Copy, Debug, Default)]
pub struct RefuseAll;

impl Approval for RefuseAll {
    fn decide(&self, _: Proposal) -> BoxFuture<'static, Decision> {
        ready(Decision::Refuse {
            reason: Some("no tool is allowed to run here".to_owned()),
        })
        .boxed()
    }
}

/// A hook that asks somebody who reads [`Questions`] elsewhere, such as the loop of a terminal.
#[derive(Clone)]
pub struct AskApproval(mpsc::Sender<Question>);

/// A call that waits for a yes or a no. Dropping it is a no.
#[derive(Debug)]
pub struct Question {
    /// What is to run.
    pub proposal: Proposal,
    answer: oneshot::Sender<Decision>,
}

/// The questions of an [`AskApproval`], one at a time for each answer that is streaming.
#[derive(Debug)]
pub struct Questions(mpsc::Receiver<Question>);

impl AskApproval {
    /// A hook, and the questions that it asks. Once the questions are dropped, everything is refused.
    pub fn new() -> (Self, Questions) {
        // One question waits at a time for each answer that asks.
        let (sender, receiver) = mpsc::channel(0);
        (Self(sender), Questions(receiver))
    }
}

impl Approval for AskApproval {
    fn decide(&self, proposal: Proposal) -> BoxFuture<'static, Decision> {
        let (answer, decided) = oneshot::channel();
        let mut questions = self.0.clone();
        async move {
            // Where nobody reads, the question comes back and is dropped: a no.
            let _ = questions.send(Question { proposal, answer }).await;
            decided.await.unwrap_or(Decision::refuse())
        }
        .boxed()
    }
}

impl fmt::Debug for AskApproval {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("AskApproval")
    }
}

impl Questions {
    /// The next question that is still of interest; `None` once no hook is left that could ask.
    pub async fn next(&mut self) -> Option<Question> {
        loop {
            let question = self.0.next().await?;
            if !question.answer.is_canceled() {
                return Some(question);
            }
        }
    }
}

impl Question {
    /// Decides; a call that has been given up meanwhile does not run.
    pub fn answer(self, decision: Decision) {
        // The answer may have been dropped.
        let _ = self.answer.send(decision);
    }
}
