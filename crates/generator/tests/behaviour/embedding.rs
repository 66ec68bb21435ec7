//! Texts as vectors, beside what is generated.

use std::sync::{Arc, mpsc};
use std::task::{Context, Poll, Wake, Waker};

use futures::{FutureExt as _, StreamExt as _};
use generator::{GenerateError, Limits, Pooling, PromptInput, TextEmbeddings, TextGenerator};

use crate::reading::{greedy, read, take, within};
use crate::scripted::{Gate, LONG, ScriptedModel, completion_of, follow, prompt_of};

fn embed(generator: &TextGenerator, texts: &[Vec<u32>]) -> Result<TextEmbeddings, GenerateError> {
    let texts = texts.iter().cloned().map(PromptInput::Tokens).collect();
    let told = generator.embed(texts, Pooling::Last);
    within(move || {
        let mut told = told;
        // Asked again and again: there is no runtime here.
        loop {
            match told.poll_unpin(&mut Context::from_waker(Waker::noop())) {
                Poll::Ready(told) => return told,
                Poll::Pending => std::thread::yield_now(),
            }
        }
    })
}

#[test]
fn texts_are_run_in_chunks_and_told_in_order() {
    let (model, watch) = ScriptedModel::new(follow());
    let generator = model.generator(Limits {
        prefill_chunk: 4,
        ..Limits::default()
    });
    let told = embed(&generator, &[prompt_of(1, 9), prompt_of(2, 3)]).unwrap();
    let last = |prompt: Vec<u32>| vec![*prompt.last().unwrap() as f32];
    assert_eq!(told.rows, [last(prompt_of(1, 9)), last(prompt_of(2, 3))]);
    assert_eq!(told.tokens, 12);
    let chunks: Vec<usize> = watch
        .log
        .steps()
        .iter()
        .map(|step| step[0].tokens.len())
        .collect();
    assert_eq!(chunks, [4, 4, 1, 3]);
}

#[test]
fn readers_that_do_not_read_do_not_hold_them_up() {
    for slots in [1, 2] {
        let (mut model, _watch) = ScriptedModel::new(follow());
        model.capabilities.max_sequences = slots;
        let generator = model.generator(Limits {
            unread: 2,
            ..Limits::default()
        });
        let silent: Vec<_> = (0..slots as u32)
            .map(|owner| take(generator.generate_with(greedy(prompt_of(owner, 3), 20)), 1).1)
            .collect();
        let told = embed(&generator, &[prompt_of(9, 5)]).unwrap();
        assert_eq!(told.rows.len(), 1);
        // And they have lost nothing.
        for stream in silent {
            assert_eq!(take(stream, 20).0.len(), 19);
        }
    }
}

#[test]
fn a_model_that_panics_fails_the_request_and_serves_the_next() {
    let (mut model, _watch) = ScriptedModel::new(follow());
    model.before = Box::new(|runs| {
        assert!(runs[0].tokens.len() != 7, "seven is too many");
        Ok(())
    });
    let generator = model.generator(Limits::default());
    let failed = embed(&generator, &[prompt_of(1, 7)]).unwrap_err();
    assert!(matches!(failed, GenerateError::Panicked { .. }), "{failed}");
    assert_eq!(embed(&generator, &[prompt_of(1, 3)]).unwrap().tokens, 3);
}

/// Panics when it is woken.
struct Bomb;

impl Wake for Bomb {
    fn wake(self: Arc<Self>) {
        panic!("a reader that must not be woken");
    }
}

#[test]
fn a_reader_whose_waker_panics_at_an_error_takes_nobody_along() {
    let (mut model, _watch) = ScriptedModel::new(follow());
    let gate = Gate::default();
    let mut wait = gate.before();
    let (fails, failing) = mpsc::channel();
    model.before = Box::new(move |runs| {
        wait(runs)?;
        if runs[0].tokens.len() == 7 {
            fails.send(()).unwrap();
            panic!("seven is too many");
        }
        Ok(())
    });
    let generator = model.generator(Limits::default());
    let mut stream = generator.generate_with(greedy(prompt_of(1, 7), 5));
    let bomb = Waker::from(Arc::new(Bomb));
    assert!(
        stream
            .poll_next_unpin(&mut Context::from_waker(&bomb))
            .is_pending()
    );
    gate.open();
    // The other is not of the step that fails: it comes once that step runs.
    failing.recv_timeout(LONG).unwrap();
    let other = generator.generate_with(greedy(prompt_of(9, 3), 5));
    assert_eq!(read(other).unwrap().tokens, completion_of(9, 3, 5));
}
