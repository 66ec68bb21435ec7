//! DeepSeek-V3, which is also Kimi K2: multi-head latent attention, and experts chosen by biased sigmoid scores.
//!
//! The cache holds one compressed row per position, never the expanded heads: queries are taken to the space of the
//! compressed rows and what they gather is expanded afterwards (absorption).
//!
//! # Source
//!
//! DeepSeek-AI 2024, "DeepSeek-V3 Technical Report", sections 2.1.1 and 2.1.2; absorption as in "DeepSeek-V2",
//! section 2.1.2.

mod shape;

use crate::ModelError;
use crate::backend::{Backend, Batch, Experts, LatentAttention, LatentWeights, Mlp, Norm, Slot};
use crate::cache::{CacheType, Layout};
use crate::decoder::{Architecture, Head};
use crate::llama::output;
use crate::loader::{KeyValue, KeyValueShape, Loader, Parts, StackShape};
use crate::rope::{Pairs, Rope};
use crate::shape::BaseShape;

pub(crate) use shape::DeepseekShape;

/// The weights, under their names in the file.
pub(crate) struct Deepseek<P: Parts> {
    shape: DeepseekShape,
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
    query: Query<P>,
    /// `(kv_lora_rank + rope, hidden)`
    attn_kv_a_mqa: P::Matrix,
    /// `(kv_lora_rank,)`
    attn_kv_a_norm: P::Vector,
    /// `attn_kv_b`, split: `(heads, kv_lora_rank, nope)` and `(heads, value, kv_lora_rank)`
    attn_kv_b: KeyValue<P>,
    /// `(hidden, heads * value)`
    attn_output: P::Matrix,
    /// `(hidden,)`
    ffn_norm: P::Vector,
    feed_forward: FeedForward<P>,
}

enum Query<P: Parts> {
    Whole {
        /// `(heads * (nope + rope), hidden)`
        attn_q: P::Matrix,
    },
    Compressed {
        /// `(q_lora_rank, hidden)`
        attn_q_a: P::Matrix,
        /// `(q_lora_rank,)`
        attn_q_a_norm: P::Vector,
        /// `(heads * (nope + rope), q_lora_rank)`
        attn_q_b: P::Matrix,
    },
}

struct DenseMlp<P: Parts> {
    /// `(width, hidden)`
    gate: P::Matrix,
    /// `(width, hidden)`
    up: P::Matrix,
    /// `(hidden, width)`
    down: P::Matrix,
}

enum FeedForward<P: Parts> {
    Dense(DenseMlp<P>),
    Sparse {
        /// `(experts, hidden)`
        ffn_gate_inp: P::Matrix,
        /// `(experts,)`, where the model has a selection bias
        exp_probs_b: Option<Vec<f32>>,
        /// `(experts, width, hidden)`
        ffn_gate_exps: P::Stack,
        /// `(experts, width, hidden)`
        ffn_up_exps: P::Stack,
        /// `(experts, hidden, width)`
        ffn_down_exps: P::Stack,
        /// All shared experts side by side, where the model has any.
        shared: Option<DenseMlp<P>>,
    },
}

impl<P: Parts> Deepseek<P> {
    pub(crate) fn load(shape: DeepseekShape, from: &mut impl Loader<Parts = P>) -> Result<Self, ModelError> {
        let BaseShape {
            vocab,
            hidden,
            layers,
            ..
        } = shape.base;
        let rope = shape.rope.rope(shape.rotated, None, Pairs::Adjacent);
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

/// What one position leaves in the cache: the compressed row alone.
pub(crate) fn layout(shape: &DeepseekShape, entry: CacheType) -> Layout {
    Layout {
        layers: shape.base.layers,
        heads: 1,
        key: shape.rank + shape.rotated,
        value: 0,
        entry,
    }
}

impl<P: Parts> Layer<P> {
    fn load(i: usize, shape: &DeepseekShape, from: &mut impl Loader<Parts = P>) -> Result<Self, ModelError> {
        let &DeepseekShape {
            plain,
            rotated,
            rank,
            value,
            ..
        } = shape;
        let BaseShape { hidden, heads, .. } = shape.base;
        let name = |tensor: &str| format!("blk.{i}.{tensor}.weight");
        Ok(Self {
            attn_norm: from.vector(&name("attn_norm"), hidden)?,
            query: Query::load(name, shape, from)?,
            attn_kv_a_mqa: from.matrix(&name("attn_kv_a_mqa"), rank + rotated, hidden)?,
            attn_kv_a_norm: from.vector(&name("attn_kv_a_norm"), rank)?,
            attn_kv_b: from.key_value(
                i,
                KeyValueShape {
                    heads,
                    key: plain,
                    value,
                    rank,
                },
            )?,
            attn_output: from.matrix(&name("attn_output"), hidden, heads * value)?,
            ffn_norm: from.vector(&name("ffn_norm"), hidden)?,
            feed_forward: match i < shape.dense_layers {
                true => FeedForward::Dense(DenseMlp::load(name, "", shape.base.intermediate, hidden, from)?),
                false => FeedForward::sparse(i, name, shape, from)?,
            },
        })
    }
}

impl<P: Parts> Query<P> {
    fn load(
        name: impl Fn(&str) -> String,
        shape: &DeepseekShape,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let BaseShape { hidden, heads, .. } = shape.base;
        let width = heads * (shape.plain + shape.rotated);
        Ok(match shape.query_rank {
            None => Self::Whole {
                attn_q: from.matrix(&name("attn_q"), width, hidden)?,
            },
            Some(rank) => Self::Compressed {
                attn_q_a: from.matrix(&name("attn_q_a"), rank, hidden)?,
                attn_q_a_norm: from.vector(&name("attn_q_a_norm"), rank)?,
                attn_q_b: from.matrix(&name("attn_q_b"), width, rank)?,
            },
        })
    }
}

impl<P: Parts> DenseMlp<P> {
    /// * `ending`: of the tensors' names, `_shexp` for shared experts.
    fn load(
        name: impl Fn(&str) -> String,
        ending: &str,
        width: usize,
        hidden: usize,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let name = |stem: &str| name(&format!("{stem}{ending}"));
        Ok(Self {
            gate: from.matrix(&name("ffn_gate"), width, hidden)?,
            up: from.matrix(&name("ffn_up"), width, hidden)?,
            down: from.matrix(&name("ffn_down"), hidden, width)?,
        })
    }

    fn mlp(&self) -> Mlp<'_, P> {
        Mlp {
            gate: &self.gate,
            up: &self.up,
            down: &self.down,
        }
    }
}

impl<P: Parts> FeedForward<P> {
    fn sparse(
        i: usize,
        name: impl Fn(&str) -> String,
        shape: &DeepseekShape,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let (count, width, hidden) = (shape.routing.experts, shape.expert_width, shape.base.hidden);
        let inward = StackShape {
            count,
            outputs: width,
            inputs: hidden,
        };
        let outward = StackShape {
            count,
            outputs: hidden,
            inputs: width,
        };
        let bias = format!("blk.{i}.exp_probs_b.bias");
        let exp_probs_b = match from.has(&bias) {
            true => Some(from.host(&bias, count)?),
            false => None,
        };
        Ok(Self::Sparse {
            ffn_gate_inp: from.matrix(&name("ffn_gate_inp"), count, hidden)?,
            exp_probs_b,
            ffn_gate_exps: from.stack(&name("ffn_gate_exps"), inward)?,
            ffn_up_exps: from.stack(&name("ffn_up_exps"), inward)?,
            ffn_down_exps: from.stack(&name("ffn_down_exps"), outward)?,
            shared: match shape.shared {
                0 => None,
                shared => Some(DenseMlp::load(name, "_shexp", shared * width, hidden, from)?),
            },
        })
    }
}

impl<B: Backend> Architecture<B> for Deepseek<B> {
    fn forward(&self, backend: &mut B, batch: &mut Batch<'_, '_>) -> Result<(), ModelError> {
        let epsilon = self.shape.base.epsilon;
        backend.embed(&self.token_embd, batch)?;
        for (i, w) in self.layers.iter().enumerate() {
            self.attend(backend, i, w, batch)?;
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
            match &w.feed_forward {
                FeedForward::Dense(mlp) => backend.gated_mlp_add(norm, mlp.mlp())?,
                FeedForward::Sparse {
                    ffn_gate_inp,
                    exp_probs_b,
                    ffn_gate_exps,
                    ffn_up_exps,
                    ffn_down_exps,
                    shared,
                } => {
                    let experts = Experts {
                        router: ffn_gate_inp,
                        routing: &self.shape.routing,
                        bias: exp_probs_b.as_deref(),
                        gate: ffn_gate_exps,
                        up: ffn_up_exps,
                        down: ffn_down_exps,
                        shared: shared.as_ref().map(DenseMlp::mlp),
                    };
                    backend.moe_add(norm, experts)?;
                }
            }
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

impl<B: Backend> Deepseek<B> {
    /// Attention up to what it gathers.
    fn attend(
        &self,
        backend: &mut B,
        i: usize,
        w: &Layer<B>,
        batch: &mut Batch<'_, '_>,
    ) -> Result<(), ModelError> {
        let &DeepseekShape {
            plain,
            rotated,
            rank,
            scale,
            ..
        } = &self.shape;
        let epsilon = self.shape.base.epsilon;
        let norm = |weight| Norm { weight, epsilon };
        let compressed = (&w.attn_kv_a_mqa, Slot::CompressedKeyValue);
        match &w.query {
            Query::Whole { attn_q } => {
                backend.norm_project(norm(&w.attn_norm), &[(attn_q, Slot::Query), compressed])?;
            }
            Query::Compressed {
                attn_q_a,
                attn_q_a_norm,
                attn_q_b,
            } => {
                backend.norm_project(
                    norm(&w.attn_norm),
                    &[(attn_q_a, Slot::CompressedQuery), compressed],
                )?;
                backend.norm_slot_project(
                    Slot::CompressedQuery,
                    norm(attn_q_a_norm),
                    attn_q_b,
                    Slot::Query,
                )?;
            }
        }
        let attention = LatentAttention {
            plain,
            rotated,
            rank,
            scale,
        };
        let weights = LatentWeights {
            norm: norm(&w.attn_kv_a_norm),
            expand: &w.attn_kv_b,
            rope: &self.rope,
        };
        backend.attend_latent(i, attention, weights, batch)
    }
}
