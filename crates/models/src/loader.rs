//! How an architecture asks for its tensors: by name and shape, each stated once.
//!
//! An architecture's `load` runs twice: first with [`Survey`], which only compares names and shapes with the
//! file and adds up sizes, then with the backend's own loader. So every missing, misshapen or surplus tensor
//! is listed in one error before a byte of weights is read.

mod survey;

use crate::checkpoint::Checkpoint;
use crate::weight::Weight;
use crate::{LoadProgress, ModelError};

pub(crate) use survey::{Sizes, Survey};

/// What weights become once loaded.
pub(crate) trait Parts {
    /// A projection, shape `(outputs, inputs)`.
    type Matrix: Send;
    /// Projections of one shape, one for each expert or head: `(count, outputs, inputs)`.
    type Stack: Send;
    /// Weights of a norm, shape `(width,)`.
    type Vector: Send;
    /// Embedding rows that are decoded on demand, shape `(vocab, hidden)`.
    type Table: Send;
}

/// The shape of a stack of projections.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StackShape {
    pub count: usize,
    pub outputs: usize,
    pub inputs: usize,
}

/// The shape of the projection that expands a compressed row to the keys and values of every head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct KeyValueShape {
    pub heads: usize,
    /// Entries of a key that carry no position.
    pub key: usize,
    /// Entries of a value.
    pub value: usize,
    /// Entries of a compressed row.
    pub rank: usize,
}

/// The keys' and the values' half of that projection, prepared for absorption.
pub(crate) struct KeyValue<P: Parts> {
    /// `(heads, rank, key)`: takes a query to the compressed row's space.
    pub key: P::Stack,
    /// `(heads, value, rank)`: takes what was gathered there to a value.
    pub value: P::Stack,
}

/// Hands out an architecture's tensors.
pub(crate) trait Loader {
    /// What the tensors become.
    type Parts: Parts;

    /// A projection of shape `(outputs, inputs)`.
    fn matrix(
        &mut self,
        name: &str,
        outputs: usize,
        inputs: usize,
    ) -> Result<<Self::Parts as Parts>::Matrix, ModelError>;

    /// Projections of one shape, stored as one tensor or as one each.
    fn stack(&mut self, name: &str, shape: StackShape) -> Result<<Self::Parts as Parts>::Stack, ModelError>;

    /// The expansion of compressed rows, stored whole (`attn_kv_b`) or split for absorption (`attn_k_b`,
    /// `attn_v_b`).
    fn key_value(&mut self, layer: usize, shape: KeyValueShape) -> Result<KeyValue<Self::Parts>, ModelError>;

    /// A vector of `len` entries.
    fn vector(&mut self, name: &str, len: usize) -> Result<<Self::Parts as Parts>::Vector, ModelError>;

    /// An embedding table of shape `(vocab, hidden)`.
    fn table(
        &mut self,
        name: &str,
        vocab: usize,
        hidden: usize,
    ) -> Result<<Self::Parts as Parts>::Table, ModelError>;

    /// Numbers that the definition itself computes with, on the host.
    fn host(&mut self, name: &str, len: usize) -> Result<Vec<f32>, ModelError>;

    /// Whether the file has a tensor of this name.
    fn has(&self, name: &str) -> bool;
}

/// Turns stored weights into a backend's parts.
pub(crate) trait Build: Parts {
    fn build_matrix(&mut self, weight: Weight) -> Result<Self::Matrix, ModelError>;
    /// * `parts`: one matrix each.
    fn build_stack(&mut self, parts: Vec<Weight>) -> Result<Self::Stack, ModelError>;
    /// * `name`: of what the values were made of, like no other's.
    /// * `values`: shape `(count, outputs, inputs)`, decoded already.
    fn stack_of(
        &mut self,
        name: &str,
        values: Vec<f32>,
        shape: StackShape,
    ) -> Result<Self::Stack, ModelError>;
    fn build_vector(&mut self, weight: Weight) -> Result<Self::Vector, ModelError>;
    fn build_table(&mut self, weight: Weight) -> Result<Self::Table, ModelError>;
}

/// The tensors of the key-value projection of one layer, whole and split.
fn key_value_names(layer: usize) -> [String; 3] {
    ["attn_kv_b", "attn_k_b", "attn_v_b"].map(|stem| format!("blk.{layer}.{stem}.weight"))
}

/// Loads for real, and reports progress by the bytes of the tensors done.
pub(crate) struct FileLoader<'f, B> {
    pub checkpoint: &'f Checkpoint,
    pub backend: &'f mut B,
    pub progress: &'f mut dyn FnMut(LoadProgress),
    pub done: LoadProgress,
}

impl<B> FileLoader<'_, B> {
    fn open(&mut self, name: &str) -> Result<Weight, ModelError> {
        self.open_own(&self.checkpoint.own_name(name))
    }

    fn open_own(&mut self, own: &str) -> Result<Weight, ModelError> {
        let weight = self.checkpoint.weight(own)?;
        self.done.done += weight.stored_bytes() as u64;
        Ok(weight)
    }

    /// Reports after the tensor that was opened has been built.
    fn report<T>(&mut self, built: T) -> T {
        (self.progress)(self.done);
        built
    }
}

impl<B: Build> Loader for FileLoader<'_, B> {
    type Parts = B;

    fn matrix(&mut self, name: &str, _: usize, _: usize) -> Result<B::Matrix, ModelError> {
        let weight = self.open(name)?;
        let matrix = self.backend.build_matrix(weight)?;
        Ok(self.report(matrix))
    }

    fn stack(&mut self, name: &str, shape: StackShape) -> Result<B::Stack, ModelError> {
        let parts = match self.checkpoint.part_name(name, 0) {
            None => {
                let whole = self.open(name)?;
                (0..shape.count).map(|part| whole.part(part)).collect()
            }
            Some(_) => (0..shape.count)
                .map(|part| {
                    let own = self.checkpoint.part_name(name, part).unwrap_or_default();
                    self.open_own(&own)
                })
                .collect::<Result<Vec<_>, _>>()?,
        };
        let stack = self.backend.build_stack(parts)?;
        Ok(self.report(stack))
    }

    fn key_value(&mut self, layer: usize, shape: KeyValueShape) -> Result<KeyValue<B>, ModelError> {
        let KeyValueShape {
            heads,
            key,
            value,
            rank,
        } = shape;
        let [whole, key_name, value_name] = key_value_names(layer);
        let (of_keys, of_values) = (
            StackShape {
                count: heads,
                outputs: rank,
                inputs: key,
            },
            StackShape {
                count: heads,
                outputs: value,
                inputs: rank,
            },
        );
        if self.has(&key_name) {
            return Ok(KeyValue {
                key: self.stack(&key_name, of_keys)?,
                value: self.stack(&value_name, of_values)?,
            });
        }
        let (keys, values) = split_key_value(&self.open(&whole)?.dequantize()?, shape);
        let parts = KeyValue {
            key: self.backend.stack_of(&key_name, keys, of_keys)?,
            value: self.backend.stack_of(&value_name, values, of_values)?,
        };
        Ok(self.report(parts))
    }

    fn vector(&mut self, name: &str, _: usize) -> Result<B::Vector, ModelError> {
        let weight = self.open(name)?;
        let vector = self.backend.build_vector(weight)?;
        Ok(self.report(vector))
    }

    fn table(&mut self, name: &str, _: usize, _: usize) -> Result<B::Table, ModelError> {
        let weight = self.open(name)?;
        let table = self.backend.build_table(weight)?;
        Ok(self.report(table))
    }

    fn host(&mut self, name: &str, _: usize) -> Result<Vec<f32>, ModelError> {
        let values = self.open(name)?.dequantize()?;
        Ok(self.report(values))
    }

    fn has(&self, name: &str) -> bool {
        self.checkpoint.shape(&self.checkpoint.own_name(name)).is_some()
    }
}

/// Splits `(heads * (key + value), rank)` into `(heads, rank, key)` and `(heads, value, rank)`.
fn split_key_value(whole: &[f32], shape: KeyValueShape) -> (Vec<f32>, Vec<f32>) {
    let KeyValueShape {
        heads,
        key,
        value,
        rank,
    } = shape;
    let mut keys = Vec::with_capacity(heads * rank * key);
    let mut values = Vec::with_capacity(heads * value * rank);
    for head in whole.chunks_exact((key + value) * rank) {
        let (of_keys, of_values) = head.split_at(key * rank);
        keys.extend((0..rank).flat_map(|column| (0..key).map(move |row| of_keys[row * rank + column])));
        values.extend_from_slice(of_values);
    }
    (keys, values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_whole_projection_splits_into_transposed_keys_and_plain_values() {
        // One head of two key rows and one value row over a rank of three.
        let whole = [1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0];
        let shape = KeyValueShape {
            heads: 1,
            key: 2,
            value: 1,
            rank: 3,
        };
        let (keys, values) = split_key_value(&whole, shape);
        assert_eq!(keys, [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
        assert_eq!(values, [7.0, 8.0, 9.0]);
    }
}
