//! Llama: grouped-query attention with rotary positions over adjacent pairs, and a gated MLP.
//!
//! GGUF files store the query and key projections permuted, so that the pairs of a rotation are adjacent;
//! published folders store them as trained, with pairs in halves.
//!
//! # Source
//!
//! Touvron et al. 2023, "LLaMA"; rotary factors as Llama 3.1 publishes them (`rope_freqs.weight`).

use crate::ModelError;
use crate::backend::{Attention, Backend, Batch, Mlp, Norm, Slot};
use crate::decoder::{Architecture, Head};
use crate::loader::{Loader, Parts};
use crate::rope::{Pairs, Rope};
use crate::shape::{BaseShape, DenseShape};

/// The weights, under their names in the file.
pub(crate) struct Llama<P: Parts> {
    shape: DenseShape,
    rope: Rope,
    /// `(vocab, hidden)`
    token_embd: P::Table,
    layers: Vec<Layer<P>>,
    /// `(hidden,)`
    output_norm: P::Vector,
    /// `(vocab, hidden)`; the embedding table again where the file has no `output.weight`.
    output: P::Matrix,
}

struct Layer<P: Parts> {
    /// `(hidden,)`
    attn_norm: P::Vector,
    /// `(heads * head, hidden)`
    attn_q: P::Matrix,
    /// `(kv_heads * head, hidden)`
    attn_k: P::Matrix,
    /// `(kv_heads * head, hidden)`
    attn_v: P::Matrix,
    /// `(hidden, heads * head)`
    attn_output: P::Matrix,
    /// `(hidden,)`
    ffn_norm: P::Vector,
    /// `(intermediate, hidden)`
    ffn_gate: P::Matrix,
    /// `(intermediate, hidden)`
    ffn_up: P::Matrix,
    /// `(hidden, intermediate)`
    ffn_down: P::Matrix,
}

impl<P: Parts> Llama<P> {
    pub(crate) fn load(
        shape: DenseShape,
        pairs: Pairs,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let BaseShape {
            vocab,
            hidden,
            layers,
            ..
        } = shape.base;
        let factors = match from.has("rope_freqs.weight") {
            true => Some(from.host("rope_freqs.weight", shape.head / 2)?),
            false => None,
        };
        let rope = shape.rope.rope(shape.head, factors.as_deref(), pairs);
        let token_embd = from.table("token_embd.weight", vocab, hidden)?;
        let layers = (0..layers)
            .map(|i| Layer::load(i, &shape, from))
            .collect::<Result<_, _>>()?;
        let output_norm = from.vector("output_norm.weight", hidden)?;
        let output = output(&shape.base, from)?;
        Ok(Self {
            shape,
            rope,
            token_embd,
            layers,
            output_norm,
            output,
        })
    }
}

/// The output projection, or the embedding table again where there is none.
pub(crate) fn output<L: Loader>(
    shape: &BaseShape,
    from: &mut L,
) -> Result<<L::Parts as Parts>::Matrix, ModelError> {
    let name = if from.has("output.weight") {
        "output.weight"
    } else {
        "token_embd.weight"
    };
    from.matrix(name, shape.vocab, shape.hidden)
}

impl<P: Parts> Layer<P> {
    fn load(i: usize, shape: &DenseShape, from: &mut impl Loader<Parts = P>) -> Result<Self, ModelError> {
        let BaseShape {
            hidden,
            intermediate,
            heads,
            ..
        } = shape.base;
        let (kv_heads, head) = (shape.kv_heads, shape.head);
        let name = |tensor: &str| format!("blk.{i}.{tensor}.weight");
        Ok(Self {
            attn_norm: from.vector(&name("attn_norm"), hidden)?,
            attn_q: from.matrix(&name("attn_q"), heads * head, hidden)?,
            attn_k: from.matrix(&name("attn_k"), kv_heads * head, hidden)?,
            attn_v: from.matrix(&name("attn_v"), kv_heads * head, hidden)?,
            attn_output: from.matrix(&name("attn_output"), hidden, heads * head)?,
            ffn_norm: from.vector(&name("ffn_norm"), hidden)?,
            ffn_gate: from.matrix(&name("ffn_gate"), intermediate, hidden)?,
            ffn_up: from.matrix(&name("ffn_up"), intermediate, hidden)?,
            ffn_down: from.matrix(&name("ffn_down"), hidden, intermediate)?,
        })
    }
}

impl<B: Backend> Architecture<B> for Llama<B> {
    fn forward(&self, backend: &mut B, batch: &mut Batch<'_, '_>) -> Result<(), ModelError> {
        let epsilon = self.shape.base.epsilon;
        let (kv_heads, head) = (self.shape.kv_heads, self.shape.head);
        let attention = Attention {
            kv_heads,
            head,
            scale: (head as f32).sqrt().recip(),
        };
        backend.embed(&self.token_embd, batch)?;
        for (i, w) in self.layers.iter().enumerate() {
            backend.norm_project(
                Norm {
                    weight: &w.attn_norm,
                    epsilon,
                },
                &[
                    (&w.attn_q, Slot::Query),
                    (&w.attn_k, Slot::Key),
                    (&w.attn_v, Slot::Value),
                ],
            )?;
            backend.rotate(Slot::Query, head, None, &self.rope, batch)?;
            backend.rotate(Slot::Key, head, None, &self.rope, batch)?;
            backend.attend(i, attention, batch)?;
            if i + 1 == self.layers.len() {
                if batch.wanted.is_empty() {
                    return Ok(());
                }
                backend.keep(Slot::Attention, batch.wanted)?;
            }
            backend.project_add(Slot::Attention, &w.attn_output)?;
            let norm = Norm {
                weight: &w.ffn_norm,
                epsilon,
            };
            backend.gated_mlp_add(
                norm,
                Mlp {
                    gate: &w.ffn_gate,
                    up: &w.ffn_up,
                    down: &w.ffn_down,
                },
            )?;
        }
        Ok(())
    }

    fn head(&self) -> Head<'_, B> {
        let norm = Norm {
            weight: &self.output_norm,
            epsilon: self.shape.base.epsilon,
        };
        Head {
            norm,
            output: &self.output,
        }
    }
}
