//! Qwen3, dense and with experts: Llama's blocks with a norm on every head of queries and keys, rotary positions
//! over halves of a head whose width is a setting of its own, and in the MoE models a choice of experts in the
//! place of the MLP.
//!
//! # Source
//!
//! Yang et al. 2025, "Qwen3 Technical Report", section 2.

use crate::ModelError;
use crate::backend::{Attention, Backend, Batch, Experts, Mlp, Norm, Slot};
use crate::decoder::{Architecture, Head};
use crate::llama::output;
use crate::loader::{Loader, Parts, StackShape};
use crate::rope::{Pairs, Rope};
use crate::routing::{Routing, Scoring};
use crate::settings::{Key, Settings};
use crate::shape::{BaseShape, DenseShape};

const EXPERTS: Key = Key::new("expert_count", "num_experts");
const EXPERTS_USED: Key = Key::new("expert_used_count", "num_experts_per_tok");
const EXPERT_WIDTH: Key = Key::new("expert_feed_forward_length", "moe_intermediate_size");
const NORMALISE: Key = Key::new("expert_weights_norm", "norm_topk_prob");
const SCALE: Key = Key::new("expert_weights_scale", "routed_scaling_factor");

/// The weights, under their names in the file.
pub(crate) struct Qwen3<P: Parts> {
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
    /// `(head,)`
    attn_q_norm: P::Vector,
    /// `(head,)`
    attn_k_norm: P::Vector,
    /// `(kv_heads * head, hidden)`
    attn_v: P::Matrix,
    /// `(hidden, heads * head)`
    attn_output: P::Matrix,
    /// `(hidden,)`
    ffn_norm: P::Vector,
    feed_forward: FeedForward<P>,
}

enum FeedForward<P: Parts> {
    Dense {
        /// `(intermediate, hidden)`
        ffn_gate: P::Matrix,
        /// `(intermediate, hidden)`
        ffn_up: P::Matrix,
        /// `(hidden, intermediate)`
        ffn_down: P::Matrix,
    },
    Sparse {
        routing: Routing,
        /// `(experts, hidden)`
        ffn_gate_inp: P::Matrix,
        /// `(experts, width, hidden)`
        ffn_gate_exps: P::Stack,
        /// `(experts, width, hidden)`
        ffn_up_exps: P::Stack,
        /// `(experts, hidden, width)`
        ffn_down_exps: P::Stack,
    },
}

/// The experts of a Qwen3-MoE model.
#[derive(Clone, Debug)]
pub(crate) struct Sparse {
    routing: Routing,
    /// Entries between the two halves of an expert.
    width: usize,
}

impl Sparse {
    /// Reads and checks the settings. GGUF files cannot say that weights are not normalised, and those that say
    /// nothing are.
    pub(crate) fn read(s: Settings<'_>) -> Result<Self, ModelError> {
        let (experts, used) = (s.width(EXPERTS)?, s.width(EXPERTS_USED)?);
        if used > experts {
            return Err(s.refuse(
                EXPERTS_USED,
                used,
                format!("at most the {experts} experts can be used"),
            ));
        }
        let routing = Routing {
            experts,
            used,
            scoring: Scoring::Softmax,
            groups: 1,
            groups_used: 1,
            normalise: s.flag_opt(NORMALISE)?.unwrap_or(!s.is_config()),
            scale: s.positive_opt(SCALE)?.unwrap_or(1.0),
        };
        Ok(Self {
            routing,
            width: s.width(EXPERT_WIDTH)?,
        })
    }
}

impl<P: Parts> Qwen3<P> {
    /// * `sparse`: the experts of an MoE model; its layers without a router are dense.
    pub(crate) fn load(
        shape: DenseShape,
        sparse: Option<Sparse>,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let BaseShape {
            vocab,
            hidden,
            layers,
            ..
        } = shape.base;
        let rope = shape.rope.rope(shape.head, None, Pairs::Halves);
        let token_embd = from.table("token_embd.weight", vocab, hidden)?;
        let layers = (0..layers)
            .map(|i| Layer::load(i, &shape, sparse.as_ref(), from))
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

impl<P: Parts> Layer<P> {
    fn load(
        i: usize,
        shape: &DenseShape,
        sparse: Option<&Sparse>,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let BaseShape { hidden, heads, .. } = shape.base;
        let (kv_heads, head) = (shape.kv_heads, shape.head);
        let name = |tensor: &str| format!("blk.{i}.{tensor}.weight");
        let sparse = sparse.filter(|_| from.has(&name("ffn_gate_inp")) || !from.has(&name("ffn_gate")));
        Ok(Self {
            attn_norm: from.vector(&name("attn_norm"), hidden)?,
            attn_q: from.matrix(&name("attn_q"), heads * head, hidden)?,
            attn_k: from.matrix(&name("attn_k"), kv_heads * head, hidden)?,
            attn_q_norm: from.vector(&name("attn_q_norm"), head)?,
            attn_k_norm: from.vector(&name("attn_k_norm"), head)?,
            attn_v: from.matrix(&name("attn_v"), kv_heads * head, hidden)?,
            attn_output: from.matrix(&name("attn_output"), hidden, heads * head)?,
            ffn_norm: from.vector(&name("ffn_norm"), hidden)?,
            feed_forward: match sparse {
                Some(sparse) => FeedForward::sparse(name, hidden, sparse, from)?,
                None => FeedForward::dense(name, &shape.base, from)?,
            },
        })
    }
}

impl<P: Parts> FeedForward<P> {
    fn dense(
        name: impl Fn(&str) -> String,
        shape: &BaseShape,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let &BaseShape {
            hidden, intermediate, ..
        } = shape;
        Ok(Self::Dense {
            ffn_gate: from.matrix(&name("ffn_gate"), intermediate, hidden)?,
            ffn_up: from.matrix(&name("ffn_up"), intermediate, hidden)?,
            ffn_down: from.matrix(&name("ffn_down"), hidden, intermediate)?,
        })
    }

    fn sparse(
        name: impl Fn(&str) -> String,
        hidden: usize,
        sparse: &Sparse,
        from: &mut impl Loader<Parts = P>,
    ) -> Result<Self, ModelError> {
        let (count, width) = (sparse.routing.experts, sparse.width);
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
        Ok(Self::Sparse {
            routing: sparse.routing.clone(),
            ffn_gate_inp: from.matrix(&name("ffn_gate_inp"), count, hidden)?,
            ffn_gate_exps: from.stack(&name("ffn_gate_exps"), inward)?,
            ffn_up_exps: from.stack(&name("ffn_up_exps"), inward)?,
            ffn_down_exps: from.stack(&name("ffn_down_exps"), outward)?,
        })
    }
}

impl<B: Backend> Architecture<B> for Qwen3<B> {
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
            let norm = |weight| Some(Norm { weight, epsilon });
            backend.rotate(Slot::Query, head, norm(&w.attn_q_norm), &self.rope, batch)?;
            backend.rotate(Slot::Key, head, norm(&w.attn_k_norm), &self.rope, batch)?;
            backend.attend(i, attention, batch)?;
            if i + 1 == self.layers.len() {
                if batch.wanted.is_empty() {
                    return Ok(());
                }
                backend.keep(Slot::Attention, batch.wanted)?;
            }
            backend.project_add(Slot::Attention, &w.attn_output)?;
            self.feed_forward(backend, w)?;
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

impl<B: Backend> Qwen3<B> {
    fn feed_forward(&self, backend: &mut B, w: &Layer<B>) -> Result<(), ModelError> {
        let norm = Norm {
            weight: &w.ffn_norm,
            epsilon: self.shape.base.epsilon,
        };
        match &w.feed_forward {
            FeedForward::Sparse {
                routing,
                ffn_gate_inp,
                ffn_gate_exps,
                ffn_up_exps,
                ffn_down_exps,
            } => {
                let experts = Experts {
                    router: ffn_gate_inp,
                    routing,
                    bias: None,
                    gate: ffn_gate_exps,
                    up: ffn_up_exps,
                    down: ffn_down_exps,
                    shared: None,
                };
                backend.moe_add(norm, experts)
            }
            FeedForward::Dense {
                ffn_gate,
                ffn_up,
                ffn_down,
            } => backend.gated_mlp_add(
                norm,
                Mlp {
                    gate: ffn_gate,
                    up: ffn_up,
                    down: ffn_down,
                },
            ),
        }
    }
}
