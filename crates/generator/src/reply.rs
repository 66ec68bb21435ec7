//! The worker's side of one choice's stream: chunks, then exactly one last item.
//!
//! Whatever happens to the sequence that holds it, the reader learns of it: a reply that is dropped
//! before its last item ends the stream with [`GenerateError::WorkerGone`]. An error ends the stream for all choices.

use crate::channel::Sender;
use crate::{CandleStringChunk, GenerateError};

type Item = Result<CandleStringChunk, GenerateError>;

/// The open end of a request's stream, or of one of its choices.
#[derive(Debug)]
pub(crate) struct Reply {
    /// `None` once the last item has been sent.
    sender: Option<Sender<Item>>,
}

impl Reply {
    pub(crate) fn new(sender: Sender<Item>) -> Self {
        Self { sender: Some(sender) }
    }

    /// The reply of a further choice in the same stream; `None` once this one is over.
    pub(crate) fn another(&self) -> Option<Self> {
        self.sender.as_ref().map(|sender| Self::new(sender.another()))
    }

    /// Whether nobody reads any more, or nothing more may be sent.
    pub(crate) fn is_over(&self) -> bool {
        self.sender.as_ref().is_none_or(Sender::is_closed)
    }

    /// How many chunks may be sent without the reader falling too far behind.
    pub(crate) fn room(&self) -> usize {
        self.sender.as_ref().map_or(0, Sender::room)
    }

    /// Whether the reader has caught up far enough that it is worth making more for it.
    pub(crate) fn has_caught_up(&self) -> bool {
        self.sender.as_ref().is_some_and(Sender::is_half_empty)
    }

    /// Sends a chunk that is not the last.
    pub(crate) fn send(&self, chunk: CandleStringChunk) {
        if let Some(sender) = &self.sender {
            sender.send(Ok(chunk));
        }
    }

    /// Sends the last item, which ends the choice, or with an error the stream. Only the first call has an effect.
    pub(crate) fn finish(&mut self, item: Item) {
        let Some(sender) = self.sender.take() else { return };
        match item {
            Ok(chunk) => sender.finish(Ok(chunk)),
            Err(error) => sender.abort(Err(error)),
        }
    }
}

impl Drop for Reply {
    fn drop(&mut self) {
        self.finish(Err(GenerateError::WorkerGone));
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::AsyncStream;
    use crate::channel::channel;

    #[test]
    fn a_reply_dropped_before_its_last_item_tells_the_reader_even_when_the_channel_is_full() {
        let (sender, receiver) = channel(1, Arc::default());
        let reply = Reply::new(sender);
        reply.send(CandleStringChunk {
            text: "a".to_owned(),
            tokens: vec![1],
            ..CandleStringChunk::default()
        });
        assert_eq!(reply.room(), 0);
        drop(reply);
        let items: Vec<_> = AsyncStream::from_channel(receiver).blocking_iter().collect();
        assert!(
            matches!(items.as_slice(), [Ok(_), Err(GenerateError::WorkerGone)]),
            "{items:?}"
        );
    }

    #[test]
    fn only_the_first_last_item_is_sent() {
        let (sender, receiver) = channel(1, Arc::default());
        let mut reply = Reply::new(sender);
        reply.finish(Err(GenerateError::EmptyPrompt));
        reply.finish(Err(GenerateError::WorkerGone));
        assert!(reply.is_over());
        drop(reply);
        let items: Vec<_> = AsyncStream::from_channel(receiver).blocking_iter().collect();
        assert!(
            matches!(items.as_slice(), [Err(GenerateError::EmptyPrompt)]),
            "{items:?}"
        );
    }
}
