//! The stages on kernels of our own: weights packed once, activations of 8 bits where weights are quantized, caches in
//! memory.
//!
//! **A row's result does not depend on its company**: its bits are the same whatever other rows, sequences and threads
//! there are, and however the rows of a prompt are cut into passes. Every stage works row by row, and products and
//! attention have that property of themselves.

mod attention;
mod experts;
pub(crate) mod kept;
pub(crate) mod packed;

use std::num::NonZero;

use simd_matmul::{Activations, Grain, Level, Matrix, Pool, Product, Products, Span, gate, normalize};

use super::{Attention, Backend, Batch, Experts, Holding, LatentAttention, LatentWeights, Mlp, Norm, Slot};
use crate::cache::Layout;
use crate::device::kernel_threads;
use crate::loader::{Build, Parts, StackShape};
use crate::rope::Rope;
use crate::weight::Weight;
use crate::{Device, KvCache, ModelError};
use attention::Angles;
use kept::Kept;

/// The hidden state and the slots as rows of numbers; all of its memory is kept from one pass to the next.
pub(crate) struct CpuBackend {
    level: Level,
    pool: Pool,
    holding: Holding,
    /// What was packed before, where it is kept.
    kept: Option<Kept>,
    /// Rows of the pass.
    rows: usize,
    /// Shape `(rows, width)`.
    hidden: Vec<f32>,
    /// A row of the table of embeddings, as it is stored.
    stored_row: Vec<u8>,
    /// The normed hidden state.
    normed: Vec<f32>,
    slots: [Vec<f32>; Slot::COUNT],
    gate: Vec<f32>,
    up: Vec<f32>,
    activations: Prepared,
    angles: Angles,
    spans: Vec<Span>,
    latent: attention::LatentRows,
    experts: experts::Room,
}

/// Activations in the blocks that the weights of a stage need.
struct Prepared {
    all: [(bool, Activations); 3],
}

impl Prepared {
    fn new(level: Level) -> Self {
        Self {
            all: std::array::from_fn(|_| (false, Activations::new(level))),
        }
    }

    /// Forgets what was prepared: new activations come.
    fn begin(&mut self) {
        self.all.iter_mut().for_each(|(ready, _)| *ready = false);
    }

    /// Prepares `x`, shape `(rows, columns)`, for a matrix, if that has not been done for another.
    fn prepare(&mut self, pool: &Pool, matrix: &Matrix, x: &[f32]) -> Result<(), ModelError> {
        let (ready, activations) = &mut self.all[place(matrix.grain())];
        if !*ready {
            activations.quantize(pool, matrix.grain(), x, matrix.columns())?;
            *ready = true;
        }
        Ok(())
    }

    fn of(&self, matrix: &Matrix) -> &Activations {
        &self.all[place(matrix.grain())].1
    }
}

const fn place(grain: Grain) -> usize {
    match grain {
        Grain::Block => 0,
        Grain::SuperBlock => 1,
        Grain::Number => 2,
    }
}

impl CpuBackend {
    pub(crate) fn new(holding: Holding) -> Result<Self, ModelError> {
        let level = Level::best();
        let threads = NonZero::new(kernel_threads(Device::Cpu)).unwrap_or(NonZero::<usize>::MIN);
        let pool = Pool::new(threads).map_err(|source| ModelError::Threads {
            threads: threads.get(),
            source,
        })?;
        Ok(Self {
            level,
            pool,
            holding,
            kept: None,
            rows: 0,
            hidden: Vec::new(),
            stored_row: Vec::new(),
            normed: Vec::new(),
            slots: Default::default(),
            gate: Vec::new(),
            up: Vec::new(),
            activations: Prepared::new(level),
            angles: Angles::default(),
            spans: Vec::new(),
            latent: attention::LatentRows::new(level),
            experts: experts::Room::new(level),
        })
    }

    /// Where the work is done.
    pub(crate) fn pool(&self) -> &Pool {
        &self.pool
    }

    /// Takes matrices from `kept`, all that are loaded from here on.
    pub(crate) fn take_from(&mut self, kept: Kept) {
        self.kept = Some(kept);
    }

    /// Norms rows of the hidden state into [`CpuBackend::normed`].
    fn norm(&mut self, norm: &Norm<'_, Self>) {
        let width = norm.weight.len();
        resize(&mut self.normed, self.hidden.len());
        norm_rows(
            &self.pool,
            self.level,
            &self.hidden,
            norm,
            width,
            &mut self.normed,
        );
        self.activations.begin();
    }

    /// Hidden state += `matrix` times `x`.
    fn add_product(&mut self, matrix: &Matrix, x: &[f32]) -> Result<(), ModelError> {
        self.activations.begin();
        self.activations.prepare(&self.pool, matrix, x)?;
        matrix.multiply_add(&self.pool, self.activations.of(matrix), &mut self.hidden)?;
        Ok(())
    }

    /// [`CpuBackend::gate`] := `silu(gate * x) * (up * x)` of the normed hidden state.
    fn gated(&mut self, gate_matrix: &Matrix, up_matrix: &Matrix) -> Result<(), ModelError> {
        let width = gate_matrix.rows();
        resize(&mut self.gate, self.rows * width);
        resize(&mut self.up, self.rows * width);
        self.activations.prepare(&self.pool, gate_matrix, &self.normed)?;
        self.activations.prepare(&self.pool, up_matrix, &self.normed)?;
        Products::from([
            Product::new(gate_matrix, self.activations.of(gate_matrix), &mut self.gate),
            Product::new(up_matrix, self.activations.of(up_matrix), &mut self.up),
        ])
        .multiply(&self.pool)?;
        gate_rows(&self.pool, self.level, width, &mut self.gate, &self.up);
        Ok(())
    }
}

/// As many numbers, whatever they are.
fn resize(numbers: &mut Vec<f32>, len: usize) {
    numbers.resize(len, 0.0);
}

/// Rows that a thread takes at a time where there are many.
const SHARE: usize = 8;

/// Calls `work` with some rows of `a`, and the number of the first of them.
fn by_rows(pool: &Pool, width: usize, a: &mut [f32], work: impl Fn(usize, &mut [f32]) + Sync) {
    simd_matmul::by_chunks(pool, a, SHARE * width, |chunk, part| work(chunk * SHARE, part));
}

fn norm_rows(
    pool: &Pool,
    level: Level,
    x: &[f32],
    norm: &Norm<'_, CpuBackend>,
    width: usize,
    out: &mut [f32],
) {
    by_rows(pool, width, out, |first, out| {
        let x = x[first * width..].chunks_exact(width);
        for (x, out) in x.zip(out.chunks_exact_mut(width)) {
            normalize(level, x, norm.weight, norm.epsilon, out);
        }
    });
}

fn gate_rows(pool: &Pool, level: Level, width: usize, gates: &mut [f32], up: &[f32]) {
    by_rows(pool, width, gates, |first, gates| {
        gate(level, gates, &up[first * width..][..gates.len()]);
    });
}

impl Parts for CpuBackend {
    type Matrix = Matrix;
    type Stack = Vec<Matrix>;
    /// Shape `(width,)`.
    type Vector = Vec<f32>;
    type Table = Weight;
}

impl Build for CpuBackend {
    fn build_matrix(&mut self, weight: Weight) -> Result<Matrix, ModelError> {
        match &self.kept {
            Some(kept) => kept.matrix(&weight),
            None => packed::matrix(&self.pool, &weight, self.holding),
        }
    }

    fn build_stack(&mut self, parts: Vec<Weight>) -> Result<Vec<Matrix>, ModelError> {
        parts.into_iter().map(|part| self.build_matrix(part)).collect()
    }

    fn stack_of(
        &mut self,
        name: &str,
        values: Vec<f32>,
        shape: StackShape,
    ) -> Result<Vec<Matrix>, ModelError> {
        if let Some(kept) = &self.kept {
            return kept.stack(name, shape);
        }
        values
            .chunks_exact(shape.outputs * shape.inputs)
            .map(|values| packed::numbers(&self.pool, values, shape.outputs, shape.inputs))
            .collect()
    }

    fn build_vector(&mut self, weight: Weight) -> Result<Vec<f32>, ModelError> {
        let vector = weight.dequantize()?;
        weight.release_around();
        Ok(vector)
    }

    fn build_table(&mut self, weight: Weight) -> Result<Weight, ModelError> {
        Ok(weight)
    }
}

impl Backend for CpuBackend {
    fn embed(&mut self, table: &Weight, batch: &Batch<'_, '_>) -> Result<(), ModelError> {
        let width = table.columns();
        self.rows = batch.rows();
        self.angles.begin();
        resize(&mut self.hidden, self.rows * width);
        for (token, row) in batch.tokens().zip(self.hidden.chunks_exact_mut(width)) {
            let token = token as usize;
            table.look_up(token, &mut self.stored_row, row)?;
        }
        let steps = batch.steps.iter().scan(0, |first, step| {
            let rows = step.tokens.len();
            *first += rows;
            Some(Span {
                first: *first - rows,
                rows,
                past: step.cache.len(),
            })
        });
        self.spans.clear();
        self.spans.extend(steps);
        Ok(())
    }

    fn norm_project(&mut self, norm: Norm<'_, Self>, outputs: &[(&Matrix, Slot)]) -> Result<(), ModelError> {
        self.norm(&norm);
        let mut out: [Vec<f32>; Slot::COUNT] = Default::default();
        for (matrix, slot) in outputs {
            self.activations.prepare(&self.pool, matrix, &self.normed)?;
            let slot = *slot as usize;
            out[slot] = std::mem::take(&mut self.slots[slot]);
            resize(&mut out[slot], self.rows * matrix.rows());
        }
        let mut products = Products::<{ Slot::COUNT }>::new();
        for (number, out) in out.iter_mut().enumerate() {
            if let Some((matrix, _)) = outputs.iter().find(|(_, slot)| *slot as usize == number) {
                products.push(Product::new(matrix, self.activations.of(matrix), out));
            }
        }
        products.multiply(&self.pool)?;
        for (_, slot) in outputs {
            let slot = *slot as usize;
            self.slots[slot] = std::mem::take(&mut out[slot]);
        }
        Ok(())
    }

    fn norm_slot_project(
        &mut self,
        from: Slot,
        norm: Norm<'_, Self>,
        matrix: &Matrix,
        to: Slot,
    ) -> Result<(), ModelError> {
        let x = &self.slots[from as usize];
        resize(&mut self.normed, x.len());
        norm_rows(
            &self.pool,
            self.level,
            x,
            &norm,
            norm.weight.len(),
            &mut self.normed,
        );
        self.activations.begin();
        self.activations.prepare(&self.pool, matrix, &self.normed)?;
        let out = &mut self.slots[to as usize];
        resize(out, self.rows * matrix.rows());
        matrix.multiply(&self.pool, self.activations.of(matrix), out)?;
        Ok(())
    }

    fn rotate(
        &mut self,
        slot: Slot,
        head: usize,
        norm: Option<Norm<'_, Self>>,
        rope: &Rope,
        batch: &Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        self.angles.of(rope, batch);
        let heads = &mut self.slots[slot as usize];
        attention::rotate(&self.pool, self.level, heads, self.rows, head, norm, &self.angles);
        Ok(())
    }

    fn attend(
        &mut self,
        layer: usize,
        shape: Attention,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        self.attend_heads(layer, shape, batch)
    }

    fn attend_latent(
        &mut self,
        layer: usize,
        shape: LatentAttention,
        weights: LatentWeights<'_, Self>,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        self.attend_rows(layer, shape, weights, batch)
    }

    fn keep(&mut self, slot: Slot, rows: &[u32]) -> Result<(), ModelError> {
        if rows.iter().copied().eq(0..self.rows as u32) {
            return Ok(());
        }
        for numbers in [&mut self.hidden, &mut self.slots[slot as usize]] {
            let width = numbers.len() / self.rows;
            self.normed.clear();
            for &row in rows {
                self.normed
                    .extend_from_slice(&numbers[row as usize * width..][..width]);
            }
            std::mem::swap(numbers, &mut self.normed);
        }
        self.rows = rows.len();
        Ok(())
    }

    fn project_add(&mut self, slot: Slot, matrix: &Matrix) -> Result<(), ModelError> {
        let x = std::mem::take(&mut self.slots[slot as usize]);
        let result = self.add_product(matrix, &x);
        self.slots[slot as usize] = x;
        result
    }

    fn gated_mlp_add(&mut self, norm: Norm<'_, Self>, mlp: Mlp<'_, Self>) -> Result<(), ModelError> {
        self.norm(&norm);
        self.mlp_add(&mlp)
    }

    fn moe_add(&mut self, norm: Norm<'_, Self>, experts: Experts<'_, Self>) -> Result<(), ModelError> {
        self.norm(&norm);
        self.route(&experts)?;
        match &experts.shared {
            Some(shared) => self.mlp_add(shared),
            None => Ok(()),
        }
    }

    fn hidden(&mut self, norm: Norm<'_, Self>, out: &mut [f32]) -> Result<(), ModelError> {
        self.norm(&norm);
        out.copy_from_slice(&self.normed);
        Ok(())
    }

    fn logits(&mut self, norm: Norm<'_, Self>, matrix: &Matrix, out: &mut [f32]) -> Result<(), ModelError> {
        self.norm(&norm);
        self.activations.prepare(&self.pool, matrix, &self.normed)?;
        matrix.multiply(&self.pool, self.activations.of(matrix), out)?;
        Ok(())
    }

    fn new_cache(&self, layout: Layout) -> KvCache {
        KvCache::in_memory(layout)
    }
}

impl CpuBackend {
    /// Hidden state += the MLP of the normed hidden state.
    fn mlp_add(&mut self, mlp: &Mlp<'_, Self>) -> Result<(), ModelError> {
        self.gated(mlp.gate, mlp.up)?;
        let x = std::mem::take(&mut self.gate);
        let result = self.add_product(mlp.down, &x);
        self.gate = x;
        result
    }
}
