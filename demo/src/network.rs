//! The network in a form that can be trained: Qwen3 with tied embeddings, over [`crate::ops`].
//!
//! Every variable has the name that published checkpoints give it, so that what is saved is what is published.

use std::collections::BTreeMap;

use anyhow::{Context, Result, ensure};
use candle_core::backprop::GradStore;
use candle_core::{Device, Tensor, Var};
use rand::SeedableRng;
use rand::distr::{Distribution, Uniform};
use rand_chacha::ChaCha8Rng;

use crate::ops::{self, Rotation};

/// The shape of the network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    /// Entries of the vocabulary, a multiple of 16.
    pub vocabulary: usize,
    /// Width of the hidden state.
    pub hidden: usize,
    /// Blocks.
    pub layers: usize,
    /// Heads of queries.
    pub heads: usize,
    /// Heads of keys and values.
    pub key_heads: usize,
    /// Width of a head.
    pub head: usize,
    /// Width of a feed-forward block.
    pub intermediate: usize,
    /// Positions.
    pub context: usize,
}

impl Shape {
    /// The shipped model, for a vocabulary of this size. Widths are multiples of 256, so that k-quants fit.
    pub fn shipped(vocabulary: usize) -> Self {
        Self {
            vocabulary,
            hidden: 256,
            layers: 5,
            heads: 8,
            key_heads: 4,
            head: 32,
            intermediate: 512,
            context: 2048,
        }
    }

    /// Base of the rotary frequencies.
    pub const ROPE_BASE: f64 = 10_000.0;
    /// Epsilon of every norm.
    pub const EPSILON: f32 = 1e-6;

    /// Names and shapes of all variables, `(out, in)` for matrices.
    pub fn variables(&self) -> Vec<(String, Vec<usize>)> {
        let mut variables = vec![(EMBEDDING.to_owned(), vec![self.vocabulary, self.hidden])];
        for layer in 0..self.layers {
            for (name, shape) in [
                ("input_layernorm", vec![self.hidden]),
                ("self_attn.q_proj", vec![self.heads * self.head, self.hidden]),
                ("self_attn.k_proj", vec![self.key_heads * self.head, self.hidden]),
                ("self_attn.v_proj", vec![self.key_heads * self.head, self.hidden]),
                ("self_attn.q_norm", vec![self.head]),
                ("self_attn.k_norm", vec![self.head]),
                ("self_attn.o_proj", vec![self.hidden, self.heads * self.head]),
                ("post_attention_layernorm", vec![self.hidden]),
                ("mlp.gate_proj", vec![self.intermediate, self.hidden]),
                ("mlp.up_proj", vec![self.intermediate, self.hidden]),
                ("mlp.down_proj", vec![self.hidden, self.intermediate]),
            ] {
                variables.push((format!("model.layers.{layer}.{name}.weight"), shape));
            }
        }
        variables.push((FINAL_NORM.to_owned(), vec![self.hidden]));
        variables
    }

    /// Weights in all.
    pub fn parameters(&self) -> usize {
        let count = |(_, shape): &(String, Vec<usize>)| shape.iter().product::<usize>();
        self.variables().iter().map(count).sum()
    }
}

const EMBEDDING: &str = "model.embed_tokens.weight";
const FINAL_NORM: &str = "model.norm.weight";

/// The network and its variables.
#[derive(Debug)]
pub struct Network {
    shape: Shape,
    variables: BTreeMap<String, Var>,
    rotation: Rotation,
}

impl Network {
    /// A network with random weights: matrices normal with deviation 0.02, those that write into the hidden state
    /// smaller by the square root of twice the number of layers; norms one.
    ///
    /// # Errors
    ///
    /// Those of candle.
    pub fn new(shape: Shape, seed: u64) -> Result<Self> {
        let mut variables = BTreeMap::new();
        for (stream, (name, dims)) in shape.variables().into_iter().enumerate() {
            let count = dims.iter().product();
            let numbers = if dims.len() == 1 {
                vec![1.0; count]
            } else {
                let writes = name.contains("o_proj") || name.contains("down_proj");
                let shrunk = if writes {
                    (2.0 * shape.layers as f64).sqrt()
                } else {
                    1.0
                };
                normal(seed, stream as u64, count, 0.02 / shrunk)?
            };
            let tensor = Tensor::from_vec(numbers, dims, &Device::Cpu)?;
            variables.insert(name, Var::from_tensor(&tensor)?);
        }
        Ok(Self::of(shape, variables))
    }

    /// A network with these weights.
    ///
    /// # Errors
    ///
    /// A weight that is missing or has another shape.
    pub fn with_weights(shape: Shape, weights: &std::collections::HashMap<String, Tensor>) -> Result<Self> {
        let mut variables = BTreeMap::new();
        for (name, dims) in shape.variables() {
            let tensor = weights
                .get(&name)
                .with_context(|| format!("no weight `{name}`"))?;
            ensure!(
                tensor.dims() == dims,
                "weight `{name}` has shape {:?}, expected {dims:?}",
                tensor.dims()
            );
            variables.insert(name, Var::from_tensor(tensor)?);
        }
        Ok(Self::of(shape, variables))
    }

    fn of(shape: Shape, variables: BTreeMap<String, Var>) -> Self {
        let rotation = Rotation::new(shape.head, shape.context, Shape::ROPE_BASE);
        Self {
            shape,
            variables,
            rotation,
        }
    }

    /// The network's shape.
    pub fn shape(&self) -> &Shape {
        &self.shape
    }

    /// The variables by name, in the order of names.
    pub fn variables(&self) -> &BTreeMap<String, Var> {
        &self.variables
    }

    /// Logits at chosen positions.
    ///
    /// * `ids`: `(batch * length)` token ids, sequences one after the other.
    /// * `at`: rows of `ids` whose logits are wanted.
    ///
    /// Returns `(at.len(), vocabulary)`.
    ///
    /// # Errors
    ///
    /// Ids outside the vocabulary, a length beyond the context, and those of candle.
    pub fn logits(&self, ids: &[u32], length: usize, at: &[u32]) -> Result<Tensor> {
        let device = Device::Cpu;
        let embedding = self.variable(EMBEDDING)?;
        let mut hidden = embedding.index_select(&Tensor::new(ids, &device)?, 0)?;
        for layer in 0..self.shape.layers {
            hidden = self.block(layer, &hidden, length)?;
        }
        let chosen = hidden.index_select(&Tensor::new(at, &device)?, 0)?;
        let normed = ops::norm(&chosen, self.variable(FINAL_NORM)?, Shape::EPSILON)?;
        Ok(ops::linear(&normed, embedding)?)
    }

    fn block(&self, layer: usize, hidden: &Tensor, length: usize) -> Result<Tensor> {
        let weight = |name: &str| self.variable(&format!("model.layers.{layer}.{name}.weight"));
        let heads = |x: Tensor, norm: &str| -> Result<Tensor> {
            let norm = weight(norm)?;
            Ok(ops::rotated_heads(
                &x,
                norm,
                length,
                Shape::EPSILON,
                &self.rotation,
            )?)
        };
        let x = ops::norm(hidden, weight("input_layernorm")?, Shape::EPSILON)?;
        let q = heads(ops::linear(&x, weight("self_attn.q_proj")?)?, "self_attn.q_norm")?;
        let k = heads(ops::linear(&x, weight("self_attn.k_proj")?)?, "self_attn.k_norm")?;
        let v = ops::linear(&x, weight("self_attn.v_proj")?)?;
        let gathered = ops::attention(&q, &k, &v, length, self.shape.head)?;
        let hidden = (hidden + ops::linear(&gathered, weight("self_attn.o_proj")?)?)?;
        let x = ops::norm(&hidden, weight("post_attention_layernorm")?, Shape::EPSILON)?;
        let gate = ops::linear(&x, weight("mlp.gate_proj")?)?;
        let up = ops::linear(&x, weight("mlp.up_proj")?)?;
        let fed = ops::linear(&ops::swiglu(&gate, &up)?, weight("mlp.down_proj")?)?;
        Ok((hidden + fed)?)
    }

    fn variable(&self, name: &str) -> Result<&Tensor> {
        let variable = self
            .variables
            .get(name)
            .with_context(|| format!("no variable `{name}`"))?;
        Ok(variable.as_tensor())
    }

    /// The gradients of `loss`, by name; every variable has one, or it is an error.
    ///
    /// # Errors
    ///
    /// A variable that received no gradient, and those of candle.
    pub fn gradients(&self, loss: &Tensor) -> Result<BTreeMap<String, Tensor>> {
        let mut store: GradStore = loss.backward()?;
        let mut gradients = BTreeMap::new();
        for (name, variable) in &self.variables {
            let gradient = store.remove(variable);
            let gradient = gradient.with_context(|| format!("`{name}` received no gradient"))?;
            gradients.insert(name.clone(), gradient);
        }
        Ok(gradients)
    }
}

/// Normal deviates by Box and Muller; candle's CPU device cannot be seeded.
fn normal(seed: u64, stream: u64, count: usize, deviation: f64) -> Result<Vec<f32>> {
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    random.set_stream(stream);
    let uniform = Uniform::new(0.0f64, 1.0)?;
    let mut numbers = Vec::with_capacity(count);
    for _ in 0..count {
        let (u, angle) = (1.0 - uniform.sample(&mut random), uniform.sample(&mut random));
        let normal = (-2.0 * u.ln()).sqrt() * (std::f64::consts::TAU * angle).cos();
        numbers.push((normal * deviation) as f32);
    }
    Ok(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny() -> Shape {
        Shape {
            vocabulary: 32,
            hidden: 64,
            layers: 2,
            heads: 2,
            key_heads: 1,
            head: 32,
            intermediate: 64,
            context: 32,
        }
    }

    #[test]
    fn every_variable_receives_a_gradient() {
        let network = Network::new(tiny(), 1).unwrap();
        let logits = network.logits(&[1, 2, 3, 4, 5, 6], 3, &[0, 1, 3, 4]).unwrap();
        let loss = ops::cross_entropy(&logits, &[2, 3, 5, 6]).unwrap();
        let gradients = network.gradients(&loss).unwrap();
        assert_eq!(gradients.len(), network.shape().variables().len());
        for (name, gradient) in gradients {
            let sum = gradient
                .abs()
                .unwrap()
                .sum_all()
                .unwrap()
                .to_scalar::<f32>()
                .unwrap();
            assert!(sum > 0.0 && sum.is_finite(), "{name}: {sum}");
        }
    }

    #[test]
    fn the_same_seed_gives_the_same_network_and_another_one_does_not() {
        let first = |seed| {
            let network = Network::new(tiny(), seed).unwrap();
            network
                .logits(&[1], 1, &[0])
                .unwrap()
                .flatten_all()
                .unwrap()
                .to_vec1::<f32>()
                .unwrap()
        };
        assert_eq!(first(1), first(1));
        assert_ne!(first(1), first(2));
    }

    #[test]
    fn a_sequence_does_not_see_its_neighbour_or_its_future() {
        let network = Network::new(tiny(), 1).unwrap();
        let row = |ids: &[u32], at: u32| {
            let logits = network.logits(ids, 3, &[at]).unwrap();
            logits.flatten_all().unwrap().to_vec1::<f32>().unwrap()
        };
        assert_eq!(row(&[1, 2, 3, 4, 5, 6], 1), row(&[1, 2, 9, 7, 8, 9], 1));
        assert_ne!(row(&[1, 2, 3, 4, 5, 6], 1), row(&[2, 2, 3, 4, 5, 6], 1));
    }
}
