//! GGUF files of given shapes with seeded random weights of any type, for architectures and types that
//! `models::synth` does not write.

use std::path::PathBuf;

use models::BlockType;
use models::gguf::{GgufWriter, Value};

/// A file in the making; equal seeds and equal calls give equal bytes.
pub(crate) struct SeededFile {
    metadata: Vec<(String, Value)>,
    tensors: Vec<(String, Vec<usize>, BlockType, Vec<u8>)>,
    prefix: &'static str,
    state: u64,
}

impl SeededFile {
    /// * `prefix`: the architecture, and what its keys begin with.
    pub(crate) fn new(prefix: &'static str, seed: u64) -> Self {
        Self {
            metadata: vec![("general.architecture".into(), prefix.into())],
            tensors: Vec::new(),
            prefix,
            state: seed,
        }
    }

    /// Sets a key of the architecture.
    pub(crate) fn set(&mut self, key: &str, value: impl Into<Value>) -> &mut Self {
        let key = format!("{}.{key}", self.prefix);
        self.metadata.push((key, value.into()));
        self
    }

    /// Adds weights around zero, those of norms (one dimension, named `norm`) around one.
    pub(crate) fn tensor(&mut self, name: &str, shape: &[usize], kind: BlockType) -> &mut Self {
        let weights: usize = shape.iter().product();
        let centre = if name.contains("norm") { 1.0 } else { 0.0 };
        let bytes = match kind {
            BlockType::F32 => (0..weights)
                .flat_map(|_| (centre + 0.15 * self.next_signed()).to_le_bytes())
                .collect(),
            kind => (0..weights / kind.block_len())
                .flat_map(|_| self.block(kind))
                .collect::<Vec<u8>>(),
        };
        self.tensors.push((name.into(), shape.to_vec(), kind, bytes));
        self
    }

    /// Makes the weights of all tensors zero whose name ends so.
    #[allow(dead_code, reason = "not every test binary has such tensors")]
    pub(crate) fn zero(&mut self, ending: &str) {
        for (_, _, _, bytes) in self
            .tensors
            .iter_mut()
            .filter(|tensor| tensor.0.ends_with(ending))
        {
            bytes.fill(0);
        }
    }

    /// Writes the file for one test of one test binary.
    pub(crate) fn write(&self, test: &str) -> PathBuf {
        let name = format!("seeded-{}-{}-{test}.gguf", self.prefix, std::process::id());
        let path = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut writer = GgufWriter::new();
        for (key, value) in &self.metadata {
            writer.metadata(key.as_str(), value.clone());
        }
        for (name, shape, kind, bytes) in &self.tensors {
            writer
                .tensor(name.as_str(), shape, *kind, bytes.as_slice())
                .unwrap();
        }
        writer.write(&path).unwrap();
        path
    }

    /// One block of random quants whose weights stay below about 0.2.
    fn block(&mut self, kind: BlockType) -> Vec<u8> {
        let mut bytes: Vec<u8> = (0..kind.block_bytes()).map(|_| self.next() as u8).collect();
        let mut half = |at: usize, value: f32| {
            bytes[at..at + 2].copy_from_slice(&half::f16::from_f32(value).to_le_bytes());
        };
        match kind {
            BlockType::F16 => half(0, 0.15 * self.next_signed()),
            BlockType::Q8_0 => half(0, 1.2e-3),
            BlockType::Q4_0 => half(0, 2e-2),
            BlockType::Q3_K => half(kind.block_bytes() - 2, 1e-3),
            BlockType::IQ4_NL => half(0, 1.2e-3),
            BlockType::Q4_K => {
                half(0, 2e-4);
                half(2, 1.5e-3);
            }
            BlockType::Q6_K => half(kind.block_bytes() - 2, 3e-5),
            kind => panic!("no seeded blocks of {}", kind.name()),
        }
        bytes
    }

    /// Uniform in -1..1.
    fn next_signed(&mut self) -> f32 {
        (self.next() >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    /// SplitMix64.
    fn next(&mut self) -> u64 {
        self.state = self.state.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }
}
