//! The routed experts: rows are grouped by expert, so that each expert's weights are used once for all of them.

use candle_core::Tensor;

use super::{CandleBackend, gated};
use crate::ModelError;
use crate::backend::Experts;
use crate::routing::{Choice, Ranks};

/// The weighted outputs of every row's experts, summed in the order of choice; shape `(rows, hidden)`.
///
/// * `x`: shape `(rows, hidden)`, normed.
pub(super) fn routed(x: &Tensor, experts: &Experts<'_, CandleBackend>) -> Result<Tensor, ModelError> {
    let (rows, hidden) = x.dims2()?;
    let choices = choose(x, experts)?;
    let used = choices.len() / rows.max(1);

    // Slot `row * used + n` is the row's n-th choice; outputs come out sorted by expert.
    let mut by_expert: Vec<Vec<u32>> = vec![Vec::new(); experts.routing.experts];
    for (slot, choice) in choices.iter().enumerate() {
        by_expert[choice.expert].push(slot as u32);
    }
    let mut outputs = Vec::new();
    let mut place = vec![0u32; choices.len()];
    let mut next = 0;
    for (expert, slots) in by_expert
        .iter()
        .enumerate()
        .filter(|(_, slots)| !slots.is_empty())
    {
        let own: Vec<u32> = slots.iter().map(|slot| slot / used as u32).collect();
        let own = x.index_select(&Tensor::new(own, x.device())?, 0)?;
        outputs.push(gated(
            &own,
            &experts.gate[expert],
            &experts.up[expert],
            &experts.down[expert],
        )?);
        for &slot in slots {
            place[slot as usize] = next;
            next += 1;
        }
    }
    let sorted = Tensor::cat(&outputs, 0)?;
    let by_row = sorted
        .index_select(&Tensor::new(place, x.device())?, 0)?
        .reshape((rows, used, hidden))?;
    let weights: Vec<f32> = choices.iter().map(|choice| choice.weight).collect();
    let weights = Tensor::from_vec(weights, (rows, used, 1), x.device())?;
    Ok(by_row.broadcast_mul(&weights)?.sum(1)?)
}

/// Every row's choices, row after row, each with as many.
fn choose(x: &Tensor, experts: &Experts<'_, CandleBackend>) -> Result<Vec<Choice>, ModelError> {
    let (mut choices, mut ranks) = (Vec::new(), Ranks::default());
    for mut scores in experts.router.project(x)?.to_vec2::<f32>()? {
        experts
            .routing
            .choose(&mut scores, experts.bias, &mut ranks, &mut choices);
    }
    Ok(choices)
}
