//! Tiny model files of true architectures with seeded random weights, for the benches.

use models::GgufFile;
use models::synth::{self, Shape};

/// A file of this shape; only its mapping is left of it.
pub(crate) fn file(shape: Shape) -> GgufFile {
    let name = format!("benches-{}-{}.gguf", shape.name(), std::process::id());
    let path = std::env::temp_dir().join(name);
    synth::write(shape, 7, &path).unwrap();
    let file = GgufFile::open(&path).unwrap();
    std::fs::remove_file(&path).unwrap();
    file
}
