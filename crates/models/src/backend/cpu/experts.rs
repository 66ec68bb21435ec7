//! The routed experts: rows are grouped by expert, so that each expert's weights are read once for all of them.

use simd_matmul::{Activations, Level, Product, Products, add_scaled};

use super::{CpuBackend, gate_rows, resize};
use crate::ModelError;
use crate::backend::Experts;
use crate::routing::{Choice, Ranks};

/// Experts whose products are one piece of work: enough for all threads, and few rows of results at a time.
const TOGETHER: usize = 16;

/// Memory of routing.
pub(super) struct Room {
    level: Level,
    /// `(rows, experts)`
    scores: Vec<f32>,
    /// Every row's choices, row after row.
    choices: Vec<Choice>,
    ranks: Ranks,
    /// Indices of choices, by expert and then in order.
    sorted: Vec<u32>,
    /// Rows of the experts that run together.
    rows: Vec<f32>,
    gate: Vec<f32>,
    up: Vec<f32>,
    /// For each expert that runs: what its gate, its other half and its output multiply.
    activations: Vec<[Activations; 3]>,
    /// Outputs of all choices in the order of `sorted`, shape `(choices, hidden)`.
    outputs: Vec<f32>,
    /// Place of each choice in `sorted`.
    places: Vec<u32>,
}

impl Room {
    pub(super) fn new(level: Level) -> Self {
        Self {
            level,
            scores: Vec::new(),
            choices: Vec::new(),
            ranks: Ranks::default(),
            sorted: Vec::new(),
            rows: Vec::new(),
            gate: Vec::new(),
            up: Vec::new(),
            activations: Vec::new(),
            outputs: Vec::new(),
            places: Vec::new(),
        }
    }
}

/// An expert and its choices, as a range of the sorted ones.
#[derive(Clone, Copy, Default)]
struct Run {
    expert: usize,
    start: usize,
    len: usize,
}

impl CpuBackend {
    /// Hidden state += the weighted outputs of every row's experts, summed in the order of choice.
    pub(super) fn route(&mut self, experts: &Experts<'_, Self>) -> Result<(), ModelError> {
        let width = self.hidden.len() / self.rows.max(1);
        self.choose(experts)?;
        let used = self.experts.choices.len() / self.rows.max(1);
        let room = &mut self.experts;
        room.sorted.clear();
        room.sorted.extend(0..room.choices.len() as u32);
        let choices = &room.choices;
        room.sorted
            .sort_unstable_by_key(|&n| (choices[n as usize].expert, n));
        room.places.resize(room.sorted.len(), 0);
        for (place, n) in room.sorted.iter().enumerate() {
            room.places[*n as usize] = place as u32;
        }
        resize(&mut room.outputs, room.choices.len() * width);

        let mut start = 0;
        while start < self.experts.sorted.len() {
            let mut runs = [Run::default(); TOGETHER];
            let mut count = 0;
            while count < TOGETHER && start < self.experts.sorted.len() {
                runs[count] = self.experts.run(start);
                start += runs[count].len;
                count += 1;
            }
            self.run_experts(experts, &runs[..count], used, width)?;
        }

        let room = &self.experts;
        let level = self.level;
        super::by_rows(&self.pool, width, &mut self.hidden, |first, hidden| {
            for (row, hidden) in hidden.chunks_exact_mut(width).enumerate() {
                for n in (first + row) * used..(first + row + 1) * used {
                    let output = &room.outputs[room.places[n] as usize * width..][..width];
                    add_scaled(level, room.choices[n].weight, output, hidden);
                }
            }
        });
        Ok(())
    }

    /// Every row's choices.
    fn choose(&mut self, experts: &Experts<'_, Self>) -> Result<(), ModelError> {
        let count = experts.router.rows();
        let room = &mut self.experts;
        resize(&mut room.scores, self.rows * count);
        self.activations
            .prepare(&self.pool, experts.router, &self.normed)?;
        let activations = self.activations.of(experts.router);
        experts
            .router
            .multiply(&self.pool, activations, &mut room.scores)?;
        room.choices.clear();
        for scores in room.scores.chunks_exact_mut(count) {
            experts
                .routing
                .choose(scores, experts.bias, &mut room.ranks, &mut room.choices);
        }
        Ok(())
    }

    /// Outputs of some experts.
    fn run_experts(
        &mut self,
        experts: &Experts<'_, Self>,
        runs: &[Run],
        used: usize,
        width: usize,
    ) -> Result<(), ModelError> {
        let (Some(first), Some(last)) = (runs.first(), runs.last()) else {
            return Ok(());
        };
        let inner = experts.gate.first().map_or(0, simd_matmul::Matrix::rows);
        let range = first.start..last.start + last.len;
        let room = &mut self.experts;
        let level = room.level;
        while room.activations.len() < runs.len() {
            room.activations
                .push(std::array::from_fn(|_| Activations::new(level)));
        }
        resize(&mut room.rows, range.len() * width);
        for (to, n) in room.rows.chunks_exact_mut(width).zip(&room.sorted[range.clone()]) {
            let row = *n as usize / used;
            to.copy_from_slice(&self.normed[row * width..][..width]);
        }
        for (run, [of_gate, of_up, _]) in runs.iter().zip(&mut room.activations) {
            let x = &room.rows[(run.start - range.start) * width..][..run.len * width];
            let (gate, up) = (experts.gate[run.expert].grain(), experts.up[run.expert].grain());
            of_gate.quantize(&self.pool, gate, x, width)?;
            if up != gate {
                of_up.quantize(&self.pool, up, x, width)?;
            }
        }
        resize(&mut room.gate, range.len() * inner);
        resize(&mut room.up, range.len() * inner);
        {
            let mut products = Products::<{ 2 * TOGETHER }>::new();
            let (mut gates, mut ups) = (&mut room.gate[..], &mut room.up[..]);
            for (run, [of_gate, of_up, _]) in runs.iter().zip(&room.activations) {
                let (gate_matrix, up_matrix) = (&experts.gate[run.expert], &experts.up[run.expert]);
                let of_up = if up_matrix.grain() == gate_matrix.grain() {
                    of_gate
                } else {
                    of_up
                };
                let (gate, rest) = gates.split_at_mut(run.len * inner);
                gates = rest;
                let (up, rest) = ups.split_at_mut(run.len * inner);
                ups = rest;
                products.push(Product::new(gate_matrix, of_gate, gate));
                products.push(Product::new(up_matrix, of_up, up));
            }
            products.multiply(&self.pool)?;
        }
        gate_rows(&self.pool, level, inner, &mut room.gate, &room.up);
        for (run, [_, _, outward]) in runs.iter().zip(&mut room.activations) {
            let x = &room.gate[(run.start - range.start) * inner..][..run.len * inner];
            outward.quantize(&self.pool, experts.down[run.expert].grain(), x, inner)?;
        }
        let mut products = Products::<TOGETHER>::new();
        let mut outputs = &mut room.outputs[range.start * width..][..range.len() * width];
        for (run, [_, _, outward]) in runs.iter().zip(&room.activations) {
            let (output, rest) = outputs.split_at_mut(run.len * width);
            outputs = rest;
            products.push(Product::new(&experts.down[run.expert], outward, output));
        }
        products.multiply(&self.pool)?;
        Ok(())
    }
}

impl Room {
    /// The choices of one expert, from place `start` on.
    fn run(&self, start: usize) -> Run {
        let expert_at = |place: usize| self.choices[self.sorted[place] as usize].expert;
        let expert = expert_at(start);
        let len = (start..self.sorted.len())
            .take_while(|&place| expert_at(place) == expert)
            .count();
        Run { expert, start, len }
    }
}
