//! The stages on Candle tensors, in exact arithmetic: weights multiplied as decoded f32.
//!
//! This is the reference that the faster backends are checked against. A row may differ from the same row
//! in other company by rounding (about 1e-5 on a logit), since the framework picks its kernels by shape.

mod attention;
mod experts;
mod held;

use candle_core::{DType, Device, Tensor};
use candle_nn::ops::{rms_norm, silu};

use super::{Attention, Backend, Batch, Experts, Holding, LatentAttention, LatentWeights, Mlp, Norm, Slot};
use crate::cache::Layout;
use crate::loader::{Build, Parts, StackShape};
use crate::rope::Rope;
use crate::weight::Weight;
use crate::{KvCache, ModelError};
pub(crate) use held::Held;

/// The hidden state and the slots as tensors.
pub(crate) struct CandleBackend {
    device: Device,
    holding: Holding,
    hidden: Tensor,
    slots: [Tensor; Slot::COUNT],
    /// Of the pass that is running.
    angles: Option<(Rope, attention::Angles)>,
}

impl CandleBackend {
    pub(crate) fn new(device: Device, holding: Holding) -> Result<Self, ModelError> {
        let empty = Tensor::zeros(0, DType::F32, &device)?;
        let slots = std::array::from_fn(|_| empty.clone());
        Ok(Self {
            device,
            holding,
            hidden: empty,
            slots,
            angles: None,
        })
    }

    fn slot(&self, slot: Slot) -> &Tensor {
        &self.slots[slot as usize]
    }

    fn set(&mut self, slot: Slot, value: Tensor) {
        self.slots[slot as usize] = value;
    }

    /// The angles of this pass, computed where its first layer asks for them.
    fn angles(&mut self, rope: &Rope, batch: &Batch<'_, '_>) -> Result<attention::Angles, ModelError> {
        if let Some((known, angles)) = &self.angles
            && known == rope
        {
            return Ok(angles.clone());
        }
        let angles = attention::Angles::new(rope, batch, &self.device)?;
        self.angles = Some((rope.clone(), angles.clone()));
        Ok(angles)
    }

    fn add(&mut self, rows: Tensor) -> Result<(), ModelError> {
        self.hidden = (&self.hidden + rows)?;
        Ok(())
    }
}

impl Parts for CandleBackend {
    type Matrix = Held;
    type Stack = Vec<Held>;
    /// Shape `(width,)`.
    type Vector = Tensor;
    type Table = Weight;
}

impl Build for CandleBackend {
    fn build_matrix(&mut self, weight: Weight) -> Result<Held, ModelError> {
        Held::new(weight, self.holding, &self.device)
    }

    fn build_stack(&mut self, parts: Vec<Weight>) -> Result<Vec<Held>, ModelError> {
        parts.into_iter().map(|part| self.build_matrix(part)).collect()
    }

    fn stack_of(&mut self, _: &str, values: Vec<f32>, shape: StackShape) -> Result<Vec<Held>, ModelError> {
        let StackShape {
            count,
            outputs,
            inputs,
        } = shape;
        let stack = Tensor::from_vec(values, (count, outputs, inputs), &self.device)?;
        (0..count)
            .map(|part| Ok(Held::Decoded(stack.get(part)?)))
            .collect()
    }

    fn build_vector(&mut self, weight: Weight) -> Result<Tensor, ModelError> {
        Ok(Tensor::from_vec(
            weight.dequantize()?,
            weight.shape(),
            &self.device,
        )?)
    }

    fn build_table(&mut self, weight: Weight) -> Result<Weight, ModelError> {
        Ok(weight)
    }
}

impl Backend for CandleBackend {
    fn embed(&mut self, table: &Weight, batch: &Batch<'_, '_>) -> Result<(), ModelError> {
        self.angles = None;
        let width = table.columns();
        let mut rows = vec![0.0; batch.rows() * width];
        let mut stored = Vec::new();
        for (token, row) in batch.tokens().zip(rows.chunks_exact_mut(width)) {
            let token = token as usize;
            table.look_up(token, &mut stored, row)?;
        }
        self.hidden = Tensor::from_vec(rows, (batch.rows(), width), &self.device)?;
        Ok(())
    }

    fn norm_project(&mut self, norm: Norm<'_, Self>, outputs: &[(&Held, Slot)]) -> Result<(), ModelError> {
        let normed = rms_norm(&self.hidden, norm.weight, norm.epsilon)?;
        for (matrix, slot) in outputs {
            self.set(*slot, matrix.project(&normed)?);
        }
        Ok(())
    }

    fn norm_slot_project(
        &mut self,
        from: Slot,
        norm: Norm<'_, Self>,
        matrix: &Held,
        to: Slot,
    ) -> Result<(), ModelError> {
        let normed = rms_norm(self.slot(from), norm.weight, norm.epsilon)?;
        self.set(to, matrix.project(&normed)?);
        Ok(())
    }

    /// Leaves the slot head-major, shape `(heads, rows, head)`.
    fn rotate(
        &mut self,
        slot: Slot,
        head: usize,
        norm: Option<Norm<'_, Self>>,
        rope: &Rope,
        batch: &Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        let mut x = attention::split_heads(self.slot(slot), head)?;
        if let Some(norm) = norm {
            x = rms_norm(&x, norm.weight, norm.epsilon)?;
        }
        let turned = self.angles(rope, batch)?.turn(&x)?;
        self.set(slot, turned);
        Ok(())
    }

    fn attend(
        &mut self,
        layer: usize,
        shape: Attention,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        let query = self.slot(Slot::Query).clone();
        let key = self.slot(Slot::Key).clone();
        let value = attention::split_heads(self.slot(Slot::Value), shape.head)?;
        let mut gathered = Vec::with_capacity(batch.steps.len());
        for (rows, cache) in batch.sequences() {
            let own = |x: &Tensor| x.narrow(1, rows.start, rows.len())?.contiguous();
            let (keys, values) = cache.write(layer, &own(&key)?, Some(&own(&value)?))?;
            let values = values.unwrap_or_else(|| keys.clone());
            let heads = attention::gather(&own(&query)?, &keys, &values, shape.kv_heads, shape.scale)?;
            gathered.push(attention::join_heads(&heads)?);
        }
        self.set(Slot::Attention, Tensor::cat(&gathered, 0)?);
        Ok(())
    }

    fn attend_latent(
        &mut self,
        layer: usize,
        shape: LatentAttention,
        weights: LatentWeights<'_, Self>,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        let angles = self.angles(weights.rope, batch)?;
        let query = attention::latent_query(self.slot(Slot::Query), shape, &weights.expand.key, &angles)?;
        let row = attention::latent_row(self.slot(Slot::CompressedKeyValue), shape, weights.norm, &angles)?;
        let mut gathered = Vec::with_capacity(batch.steps.len());
        for (rows, cache) in batch.sequences() {
            let own = |x: &Tensor| x.narrow(1, rows.start, rows.len())?.contiguous();
            let (keys, _) = cache.write(layer, &own(&row)?, None)?;
            let compressed = keys.narrow(2, 0, shape.rank)?;
            let heads = attention::gather(&own(&query)?, &keys, &compressed, 1, shape.scale)?;
            gathered.push(attention::latent_values(&heads, &weights.expand.value)?);
        }
        self.set(Slot::Attention, Tensor::cat(&gathered, 0)?);
        Ok(())
    }

    fn keep(&mut self, slot: Slot, rows: &[u32]) -> Result<(), ModelError> {
        let rows = Tensor::new(rows, &self.device)?;
        self.hidden = self.hidden.index_select(&rows, 0)?;
        let kept = self.slot(slot).index_select(&rows, 0)?;
        self.set(slot, kept);
        Ok(())
    }

    fn project_add(&mut self, slot: Slot, matrix: &Held) -> Result<(), ModelError> {
        let rows = matrix.project(self.slot(slot))?;
        self.add(rows)
    }

    fn gated_mlp_add(&mut self, norm: Norm<'_, Self>, mlp: Mlp<'_, Self>) -> Result<(), ModelError> {
        let normed = rms_norm(&self.hidden, norm.weight, norm.epsilon)?;
        let rows = gated(&normed, mlp.gate, mlp.up, mlp.down)?;
        self.add(rows)
    }

    fn moe_add(&mut self, norm: Norm<'_, Self>, experts: Experts<'_, Self>) -> Result<(), ModelError> {
        let normed = rms_norm(&self.hidden, norm.weight, norm.epsilon)?;
        let mut rows = experts::routed(&normed, &experts)?;
        if let Some(shared) = experts.shared {
            rows = (rows + gated(&normed, shared.gate, shared.up, shared.down)?)?;
        }
        self.add(rows)
    }

    fn hidden(&mut self, norm: Norm<'_, Self>, out: &mut [f32]) -> Result<(), ModelError> {
        out.copy_from_slice(
            &rms_norm(&self.hidden, norm.weight, norm.epsilon)?
                .flatten_all()?
                .to_vec1::<f32>()?,
        );
        Ok(())
    }

    fn logits(&mut self, norm: Norm<'_, Self>, matrix: &Held, out: &mut [f32]) -> Result<(), ModelError> {
        let normed = rms_norm(&self.hidden, norm.weight, norm.epsilon)?;
        out.copy_from_slice(&matrix.project(&normed)?.flatten_all()?.to_vec1::<f32>()?);
        Ok(())
    }

    fn new_cache(&self, layout: Layout) -> KvCache {
        KvCache::on(&self.device, layout)
    }
}

/// `down(silu(gate(x)) * up(x))`
fn gated(x: &Tensor, gate: &Held, up: &Held, down: &Held) -> Result<Tensor, ModelError> {
    down.project(&(silu(&gate.project(x)?)? * up.project(x)?)?)
}
