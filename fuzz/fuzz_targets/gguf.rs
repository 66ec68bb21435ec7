//! Any bytes as a GGUF file: it opens or says why not, and what opens can be read to its last tensor.
#![no_main]

use libfuzzer_sys::fuzz_target;
use models::GgufFile;
use models::gguf::TensorKind;

fuzz_target!(|bytes: &[u8]| {
    let file = match GgufFile::from_bytes("fuzzed.gguf", bytes.to_vec()) {
        Ok(file) => file,
        Err(error) => {
            assert!(!error.to_string().is_empty());
            return;
        }
    };
    for (key, value) in file.metadata().iter() {
        // The very same, and not an equal one: a NaN equals nothing.
        assert!(file.metadata().get(key).is_some_and(|found| std::ptr::eq(found, value)));
        assert!(!format!("{value} {value:?}").is_empty());
    }
    let mut row = [0.0; 256];
    for tensor in file.tensors() {
        assert_eq!(file.tensor(&tensor.name), Some(tensor));
        let TensorKind::Known(kind) = tensor.kind else {
            assert!(file.bytes(tensor).is_err());
            continue;
        };
        let stored = file.bytes(tensor).expect("a known tensor lies inside its file");
        let (map, place) = file.place(tensor).expect("and has a place there");
        assert_eq!(map.bytes().get(place), Some(stored));
        if let Some(block) = stored.get(..kind.block_bytes()) {
            let weights = &mut row[..kind.block_len()];
            kind.dequantize(block, weights).expect("a whole block decodes");
        }
    }
    assert!(file.totals().len() <= file.tensors().len());
});
