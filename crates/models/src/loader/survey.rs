//! The first of the two loads: what would be read, and whether it fits.

use std::collections::HashSet;

use super::{KeyValue, KeyValueShape, Loader, Parts, StackShape, key_value_names};
use crate::ModelError;
use crate::backend::cpu::packed;
use crate::checkpoint::Checkpoint;

/// Compares what an architecture asks for with what a file has, and adds up sizes.
pub(crate) struct Survey<'f> {
    checkpoint: &'f Checkpoint,
    asked: HashSet<String>,
    missing: Vec<String>,
    misshapen: Vec<String>,
    sizes: Sizes,
}

/// Sizes of a model's weights.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Sizes {
    /// Bytes of the tensors in the file that loading goes through; a tensor used twice counts twice.
    pub stored: u64,
    /// Weights of all tensors, each counted once.
    pub parameters: u64,
    /// Weights that are held as f32 where they are decoded once: all but the embedding rows.
    pub decoded: u64,
    /// Of these, weights that are decoded even where the others stay in their file.
    pub always_decoded: u64,
    /// Bytes in memory where matrices are packed for kernels, embedding rows in their file counted as they are stored.
    pub packed: u64,
    /// Weights of types that no kernel multiplies, which are packed as f32.
    pub without_kernel: u64,
}

impl<'f> Survey<'f> {
    pub(crate) fn new(checkpoint: &'f Checkpoint) -> Self {
        let (missing, misshapen) = (Vec::new(), Vec::new());
        Self {
            checkpoint,
            asked: HashSet::new(),
            missing,
            misshapen,
            sizes: Sizes::default(),
        }
    }

    /// The sizes, or the one error that lists every tensor that does not fit.
    ///
    /// * `layers`: of the architecture, since a folder may hold further ones that are not part of it.
    pub(crate) fn finish(self, layers: usize) -> Result<Sizes, ModelError> {
        let names = self.checkpoint.own_names(layers);
        let surplus = names
            .into_iter()
            .filter(|name| !self.asked.contains(*name))
            .map(str::to_owned);
        let surplus: Vec<String> = surplus.collect();
        if self.missing.is_empty() && self.misshapen.is_empty() && surplus.is_empty() {
            return Ok(self.sizes);
        }
        Err(ModelError::Tensors {
            missing: self.missing,
            misshapen: self.misshapen,
            surplus,
        })
    }

    fn ask(&mut self, name: &str, shape: &[usize], decoded: bool) -> Result<(), ModelError> {
        self.ask_own(self.checkpoint.own_name(name), shape, decoded)
    }

    fn ask_own(&mut self, own: String, shape: &[usize], decoded: bool) -> Result<(), ModelError> {
        match self.checkpoint.shape(&own) {
            None => self.missing.push(own.clone()),
            Some(found) if found != shape => self
                .misshapen
                .push(format!("{own} {found:?} instead of {shape:?}")),
            Some(_) => {
                let weights: u64 = shape.iter().map(|&n| n as u64).product();
                let stored = self.checkpoint.check(&own)?;
                self.sizes.stored += stored;
                self.sizes.packed += match shape {
                    _ if !decoded => stored,
                    [outer @ .., rows, columns] => {
                        let (bytes, kernel) = packed::size(self.checkpoint.block(&own), *rows, *columns);
                        self.sizes.without_kernel += if kernel { 0 } else { weights };
                        bytes * outer.iter().product::<usize>() as u64
                    }
                    _ => weights * size_of::<f32>() as u64,
                };
                self.sizes.parameters += if self.asked.contains(&own) { 0 } else { weights };
                self.sizes.decoded += if decoded { weights } else { 0 };
            }
        }
        self.asked.insert(own);
        Ok(())
    }
}

/// The parts of a survey: nothing.
pub(crate) struct Nothing;

impl Parts for Nothing {
    type Matrix = ();
    type Stack = ();
    type Vector = ();
    type Table = ();
}

impl Loader for Survey<'_> {
    type Parts = Nothing;

    fn matrix(&mut self, name: &str, outputs: usize, inputs: usize) -> Result<(), ModelError> {
        self.ask(name, &[outputs, inputs], true)
    }

    fn stack(&mut self, name: &str, shape: StackShape) -> Result<(), ModelError> {
        let StackShape {
            count,
            outputs,
            inputs,
        } = shape;
        let Some(first) = self.checkpoint.part_name(name, 0) else {
            return self.ask(name, &[count, outputs, inputs], true);
        };
        if count > self.checkpoint.tensor_count() {
            self.missing
                .push(format!("{first} and {} more like it", count - 1));
            return Ok(());
        }
        for own in (0..count)
            .filter_map(|part| self.checkpoint.part_name(name, part))
            .collect::<Vec<_>>()
        {
            self.ask_own(own, &[outputs, inputs], true)?;
        }
        Ok(())
    }

    fn key_value(&mut self, layer: usize, shape: KeyValueShape) -> Result<KeyValue<Nothing>, ModelError> {
        let KeyValueShape {
            heads,
            key,
            value,
            rank,
        } = shape;
        let [whole, key_name, value_name] = key_value_names(layer);
        if self.has(&key_name) {
            self.ask(&key_name, &[heads, rank, key], true)?;
            self.ask(&value_name, &[heads, value, rank], true)?;
        } else {
            self.ask(&whole, &[heads * (key + value), rank], true)?;
            self.sizes.always_decoded += (heads * (key + value) * rank) as u64;
        }
        Ok(KeyValue { key: (), value: () })
    }

    fn vector(&mut self, name: &str, len: usize) -> Result<(), ModelError> {
        self.ask(name, &[len], true)
    }

    fn table(&mut self, name: &str, vocab: usize, hidden: usize) -> Result<(), ModelError> {
        self.ask(name, &[vocab, hidden], false)
    }

    fn host(&mut self, name: &str, len: usize) -> Result<Vec<f32>, ModelError> {
        self.ask(name, &[len], true)?;
        // Numbers are only made where the file has as many.
        let found = self.checkpoint.shape(&self.checkpoint.own_name(name));
        Ok(if found == Some(&[len]) {
            vec![1.0; len]
        } else {
            Vec::new()
        })
    }

    fn has(&self, name: &str) -> bool {
        self.checkpoint.shape(&self.checkpoint.own_name(name)).is_some()
    }
}
