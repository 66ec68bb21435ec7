//! Guessed tokens: fewer steps, and nothing else is different.

use generator::{GenerateRequest, Limits};

use crate::reading::{Answer, at_temperature, drawn, greedy, read, take, within};
use crate::scripted::{Script, ScriptedModel, Watch, completion_of, follow, mix, prompt_of, wait_until};

/// A model whose caches can be cut back.
fn model(script: Script) -> (ScriptedModel, Watch) {
    let (mut model, watch) = ScriptedModel::new(script);
    model.capabilities.fork = true;
    (model, watch)
}

/// Logits of few tokens, so that a text repeats itself, but not for long.
fn stammer() -> Script {
    Box::new(|token, position, row| {
        row.fill(f32::NEG_INFINITY);
        for index in 0..5u32 {
            let seed = u64::from(token) << 32 | (position as u64 / 40) << 8 | u64::from(index);
            row[97 + index as usize] = (mix(seed) % 4_000) as f32 / 1_000.0;
        }
    })
}

fn drafting(draft: usize, request: GenerateRequest) -> GenerateRequest {
    GenerateRequest { draft, ..request }
}

fn same(a: &Answer, b: &Answer) {
    assert_eq!(a.tokens, b.tokens);
    assert_eq!(a.text, b.text);
    assert_eq!(
        (a.end.finish, &a.end.stop, a.end.usage),
        (b.end.finish, &b.end.stop, b.end.usage)
    );
}

#[test]
fn what_is_guessed_changes_no_token() {
    let limits = Limits {
        prefix_bytes: 0,
        ..Limits::default()
    };
    let (plain, guessing) = (
        model(stammer()).0.generator(limits),
        model(stammer()).0.generator(limits),
    );
    let mut accepted = 0;
    for seed in 0..60u64 {
        let mut request = drawn(vec![97; 1 + seed as usize % 9], 20 + seed as u32 * 3, Some(seed));
        request.sampling.params = at_temperature([0.0, 0.5, 1.0][seed as usize % 3]);
        if seed % 4 == 1 {
            request.sampling.params.penalties.repeat = 1.3;
        }
        if seed % 5 == 2 {
            request.stop = vec!["ab".to_owned(), "dcc".to_owned()];
            request.min_tokens = 7;
        }
        if seed % 7 == 3 {
            request.special.eos = vec![99];
            request.min_tokens = 5;
        }
        let expected = read(plain.generate_with(request.clone())).unwrap();
        for draft in [1, 2, 5, 16, usize::MAX] {
            let answer = read(guessing.generate_with(drafting(draft, request.clone()))).unwrap();
            same(&answer, &expected);
            assert!(answer.end.drafts.accepted <= answer.end.drafts.guessed);
            accepted += answer.end.drafts.accepted;
        }
        assert_eq!(expected.end.drafts, Default::default());
    }
    assert!(accepted > 1_000, "{accepted}");
}

#[test]
fn a_text_that_repeats_itself_takes_few_steps() {
    let (model, watch) = model(follow());
    let generator = model.generator(Limits {
        unread: 500,
        ..Limits::default()
    });
    let answer = read(generator.generate_with(drafting(16, greedy(prompt_of(1, 20), 400)))).unwrap();
    assert_eq!(answer.tokens, completion_of(1, 20, 400));
    let steps = watch.log.steps();
    assert!(steps.len() < 40, "{} steps", steps.len());
    // Nothing is guessed beyond the end.
    let last = steps.iter().flatten().map(|run| run.position + run.tokens.len());
    assert_eq!(last.max(), Some(20 + 399));
    let drafts = answer.end.drafts;
    assert_eq!(
        (drafts.guessed, drafts.accepted),
        (400 - steps.len(), 400 - steps.len())
    );
}

#[test]
fn a_model_whose_caches_cannot_be_cut_back_guesses_nothing() {
    let (model, watch) = ScriptedModel::new(follow());
    let generator = model.generator(Limits::default());
    let answer = read(generator.generate_with(drafting(16, greedy(prompt_of(1, 20), 50)))).unwrap();
    assert_eq!(answer.end.drafts.guessed, 0);
    assert_eq!(watch.log.steps().len(), 50);
}

#[test]
fn a_reader_that_stops_is_not_overwhelmed() {
    let (model, watch) = model(follow());
    let generator = model.generator(Limits {
        unread: 6,
        ..Limits::default()
    });
    let stream = generator.generate_with(drafting(16, greedy(prompt_of(1, 30), 300)));
    let run = || {
        let steps = watch.log.steps();
        let ends = steps.iter().flatten().map(|run| run.position + run.tokens.len());
        ends.max().unwrap_or(0)
    };
    // Six tokens lie unread, the last of which has not been run.
    wait_until("the channel is full", || run() == 30 + 5);
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(run(), 35);
    let (chunks, stream) = take(stream, 1);
    assert_eq!(chunks[0].tokens, completion_of(1, 30, 1));
    let rest = within(move || {
        let chunks = stream.blocking_iter();
        chunks.flat_map(|chunk| chunk.unwrap().tokens).collect::<Vec<_>>()
    });
    assert_eq!(rest, completion_of(1, 31, 299));
}

#[test]
fn what_is_kept_of_a_guessing_sequence_is_what_it_drew() {
    let (mut model, watch) = model(stammer());
    model.capabilities.max_sequences = 1;
    let generator = model.generator(Limits::default());
    let answer = read(generator.generate_with(drafting(16, greedy(vec![97; 5], 200)))).unwrap();
    assert!(answer.end.drafts.guessed > answer.end.drafts.accepted);
    let next = [&[97; 5][..], &answer.tokens, &[98]].concat();
    let before = watch.log.steps().len();
    let second = read(generator.generate_with(greedy(next.clone(), 1))).unwrap();
    assert_eq!(second.end.usage.cached_tokens, 5 + 199);
    assert_eq!(watch.log.steps()[before][0].tokens, next[5 + 199..]);
}
