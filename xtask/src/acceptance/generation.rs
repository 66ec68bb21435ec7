//! Token ids and text that a model must produce at temperature 0, through the generator itself.

use anyhow::{Context, Result, ensure};
use generator::{CandleStringChunk, GenerateRequest, GenerationEnd, SamplingConfig, SpecialTokens};
use simd_sampling::SamplingParams;

use super::manifest::{Case, Required};
use super::subject::Subject;
use super::{Outcome, Tally};

/// Feeds `input_ids`; the ids that follow must be the expected ones.
pub(crate) fn greedy(
    case: &Case,
    subject: &Subject,
    required: Required,
    tally: &mut Tally,
) -> Result<Outcome> {
    let run = generate(case, subject)?;
    Ok(compare_ids(case, &run, required, tally))
}

/// Encodes the prompt's text, which must give `input_ids`, and feeds them.
pub(crate) fn completion(
    case: &Case,
    subject: &Subject,
    required: Required,
    tally: &mut Tally,
) -> Result<Outcome> {
    let ids = subject.generator().tokenizer().encode_prompt(&case.prompt)?;
    answer(case, subject, &ids, required, tally)
}

/// Feeds `input_ids`, which must be `ids`; the ids that follow, their text and the reason for the end must match.
pub(crate) fn answer(
    case: &Case,
    subject: &Subject,
    ids: &[u32],
    required: Required,
    tally: &mut Tally,
) -> Result<Outcome> {
    if ids != case.input_ids {
        return Ok(Outcome::Failed(format!(
            "the prompt's ids are {ids:?} instead of {:?}",
            case.input_ids
        )));
    }
    let run = generate(case, subject)?;
    if let Required::Prefix(_) = required {
        return Ok(compare_ids(case, &run, required, tally));
    }
    if run.text != case.expect_text {
        return Ok(Outcome::Failed(format!(
            "the text is {:?} instead of {:?}",
            run.text, case.expect_text
        )));
    }
    let finish = run.end.finish.to_string();
    if finish != case.expect_finish_reason {
        return Ok(Outcome::Failed(format!(
            "finished by {finish} instead of {}",
            case.expect_finish_reason
        )));
    }
    Ok(compare_ids(case, &run, required, tally))
}

struct Run {
    text: String,
    ids: Vec<u32>,
    end: GenerationEnd,
}

fn generate(case: &Case, subject: &Subject) -> Result<Run> {
    let request = GenerateRequest {
        max_tokens: Some(case.max_new_tokens),
        special: SpecialTokens {
            eos: case.stop_token_ids.clone(),
        },
        sampling: SamplingConfig {
            params: SamplingParams::greedy(),
            seed: None,
        },
        ..GenerateRequest::new(case.input_ids.clone())
    };
    let (mut text, mut ids, mut end) = (String::new(), Vec::new(), None);
    for chunk in subject.generator().generate_with(request).blocking_iter() {
        let CandleStringChunk {
            text: more,
            tokens,
            end: last,
            ..
        } = chunk?;
        ensure!(end.is_none(), "a chunk came behind the end");
        text += &more;
        ids.extend(tokens);
        end = last;
    }
    Ok(Run {
        text,
        ids,
        end: end.context("the stream ended without an end")?,
    })
}

fn compare_ids(case: &Case, run: &Run, required: Required, tally: &mut Tally) -> Outcome {
    let same = run
        .ids
        .iter()
        .zip(&case.expect_ids)
        .take_while(|(a, b)| a == b)
        .count();
    tally.ids_equal += same;
    tally.ids += case.expect_ids.len();
    let (agree, needed) = match required {
        Required::Whole => (run.ids == case.expect_ids, case.expect_ids.len()),
        Required::Prefix(needed) => (same >= needed.min(case.expect_ids.len()), needed),
    };
    if agree {
        return Outcome::Passed;
    }
    Outcome::Failed(format!(
        "{same} of {} ids are the expected ones, {needed} must be; {} came",
        case.expect_ids.len(),
        run.ids.len()
    ))
}
