//! Log-probabilities by token id, from the forms in which servers name tokens.
//!
//! Ours are of ids, since texts of tokens are not unique. vLLM writes `token_id:7` in the place of the text where it is
//! asked to, llama.cpp puts an `id` beside it.

use engine::{TokenLogprob, TokenLogprobs};
use serde_json::Value;

use super::wire::{Entry, Logprobs};

const NO_ID: &str = "gives log-probabilities without the ids of the tokens";

/// Those of each token, in order.
///
/// # Errors
///
/// What is wrong with them.
pub(crate) fn read(logprobs: Logprobs) -> Result<Vec<TokenLogprobs>, &'static str> {
    if let Some(entries) = logprobs.content {
        return entries.into_iter().map(of_entry).collect();
    }
    let tokens = logprobs.tokens.unwrap_or_default();
    let mut own = logprobs.token_logprobs.unwrap_or_default().into_iter();
    let mut best = logprobs.top_logprobs.unwrap_or_default().into_iter();
    tokens
        .into_iter()
        .map(|token| {
            let chosen = named(&token, None, own.next().flatten())?;
            let listed = best.next().flatten().unwrap_or_default().into_iter();
            let best = listed.map(|(token, value)| named(&token, None, number(&value)));
            Ok(sorted(chosen, best.collect::<Result<_, _>>()?))
        })
        .collect()
}

fn of_entry(entry: Entry) -> Result<TokenLogprobs, &'static str> {
    let chosen = named(&entry.token, entry.id, entry.logprob)?;
    let listed = entry.top_logprobs.unwrap_or_default().into_iter();
    let best = listed.map(|entry| named(&entry.token, entry.id, entry.logprob));
    Ok(sorted(chosen, best.collect::<Result<_, _>>()?))
}

fn named(token: &str, id: Option<u32>, logprob: Option<f32>) -> Result<TokenLogprob, &'static str> {
    let written = || token.strip_prefix("token_id:")?.parse().ok();
    let token = id.or_else(written).ok_or(NO_ID)?;
    // JSON has no infinity: what is masked comes as nothing.
    let logprob = logprob.unwrap_or(f32::NEG_INFINITY);
    Ok(TokenLogprob { token, logprob })
}

fn number(value: &Value) -> Option<f32> {
    value.as_f64().map(|value| value as f32)
}

/// The best first, among equals the lowest id.
fn sorted(chosen: TokenLogprob, mut best: Vec<TokenLogprob>) -> TokenLogprobs {
    best.sort_by(|a, b| b.logprob.total_cmp(&a.logprob).then(a.token.cmp(&b.token)));
    TokenLogprobs { chosen, best }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn parsed(value: Value) -> Result<Vec<TokenLogprobs>, &'static str> {
        read(serde_json::from_value(value).unwrap())
    }

    fn pair(token: u32, logprob: f32) -> TokenLogprob {
        TokenLogprob { token, logprob }
    }

    #[test]
    fn both_shapes_and_both_ways_to_name_a_token_are_read() {
        let expected = [TokenLogprobs {
            chosen: pair(7, -1.5),
            best: vec![pair(3, -0.5), pair(7, -1.5)],
        }];
        let chat = json!({"content": [{"token": "token_id:7", "logprob": -1.5, "bytes": null, "top_logprobs": [
            {"token": "token_id:7", "logprob": -1.5}, {"token": "token_id:3", "logprob": -0.5}]}]});
        let llama = json!({"content": [{"token": "x", "id": 7, "logprob": -1.5, "top_logprobs": [
            {"token": "y", "id": 3, "logprob": -0.5}, {"token": "x", "id": 7, "logprob": -1.5}]}]});
        let plain = json!({"tokens": ["token_id:7"], "token_logprobs": [-1.5],
            "top_logprobs": [{"token_id:7": -1.5, "token_id:3": -0.5}]});
        for value in [chat, llama, plain] {
            assert_eq!(parsed(value).unwrap(), expected);
        }
    }

    #[test]
    fn texts_alone_are_refused() {
        assert_eq!(
            parsed(json!({"content": [{"token": "x", "logprob": -1.0}]})),
            Err(NO_ID)
        );
        assert_eq!(parsed(json!({"content": null})), Ok(vec![]));
    }
}
