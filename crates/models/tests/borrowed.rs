//! Architectures that candle-transformers runs, on tiny seeded files: the laws of every model, as far as their
//! capabilities promise them.
#![allow(clippy::unwrap_used, reason = "a test: a panic is its report")]

#[path = "seeded/file.rs"]
mod file;

use std::path::PathBuf;

use file::SeededFile;
use models::gguf::GgufWriter;
use models::{
    BlockType, CacheType, Checkpoint, Compute, GgufFile, HeldWeights, KvCache, LoadOptions, Logits, Model,
    ModelError, ModelFactory, Pooling, Residence, RowAt, Rows, SequenceStep,
};

/// Candle picks its kernels by shape, and those of block types round activations.
const TOLERANCE: f32 = 1e-3;
const VOCAB: usize = 200;
const CONTEXT: usize = 160;
const LAYERS: usize = 3;

#[derive(Clone, Copy, Debug)]
enum Family {
    Qwen2,
    Phi3,
    Gemma3,
}

const FAMILIES: [Family; 3] = [Family::Qwen2, Family::Phi3, Family::Gemma3];

fn seeded(family: Family, matrices: BlockType, seed: u64) -> SeededFile {
    let name = match family {
        Family::Qwen2 => "qwen2",
        Family::Phi3 => "phi3",
        Family::Gemma3 => "gemma3",
    };
    let (hidden, intermediate) = (64, 96);
    let mut file = SeededFile::new(name, seed);
    file.set("block_count", LAYERS as u32)
        .set("context_length", CONTEXT as u32)
        .set("embedding_length", hidden as u32)
        .set("feed_forward_length", intermediate as u32)
        .set("attention.layer_norm_rms_epsilon", 1e-6f32)
        .set("attention.head_count", 4u32)
        .tensor("token_embd.weight", &[VOCAB, hidden], matrices)
        .tensor("output_norm.weight", &[hidden], BlockType::F32);
    match family {
        Family::Qwen2 => {
            file.set("attention.head_count_kv", 2u32);
            qwen2(&mut file, hidden, intermediate, matrices);
        }
        Family::Phi3 => {
            file.set("attention.head_count_kv", 4u32)
                .set("rope.dimension_count", 16u32)
                .tensor("output.weight", &[VOCAB, hidden], matrices);
            phi3(&mut file, hidden, intermediate, matrices);
        }
        Family::Gemma3 => {
            file.set("attention.head_count_kv", 1u32)
                .set("attention.key_length", 32u32)
                .set("attention.value_length", 32u32)
                .set("attention.sliding_window", 24u32)
                .set("attention.sliding_window_pattern", 2u32)
                .set("rope.freq_base", 1e6f32);
            gemma3(&mut file, hidden, intermediate, matrices);
        }
    }
    file
}

fn qwen2(file: &mut SeededFile, hidden: usize, intermediate: usize, matrices: BlockType) {
    for layer in 0..LAYERS {
        let name = |tensor: &str| format!("blk.{layer}.{tensor}");
        file.tensor(&name("attn_norm.weight"), &[hidden], BlockType::F32);
        for (projection, outputs) in [("attn_q", 64), ("attn_k", 32), ("attn_v", 32)] {
            file.tensor(
                &name(&format!("{projection}.weight")),
                &[outputs, hidden],
                matrices,
            )
            .tensor(&name(&format!("{projection}.bias")), &[outputs], BlockType::F32);
        }
        file.tensor(&name("attn_output.weight"), &[hidden, 64], matrices)
            .tensor(&name("ffn_norm.weight"), &[hidden], BlockType::F32)
            .tensor(&name("ffn_gate.weight"), &[intermediate, hidden], matrices)
            .tensor(&name("ffn_up.weight"), &[intermediate, hidden], matrices)
            .tensor(&name("ffn_down.weight"), &[hidden, intermediate], matrices);
    }
}

fn phi3(file: &mut SeededFile, hidden: usize, intermediate: usize, matrices: BlockType) {
    for layer in 0..LAYERS {
        let name = |tensor: &str| format!("blk.{layer}.{tensor}.weight");
        file.tensor(&name("attn_norm"), &[hidden], BlockType::F32)
            .tensor(&name("attn_qkv"), &[3 * 64, hidden], matrices)
            .tensor(&name("attn_output"), &[hidden, 64], matrices)
            .tensor(&name("ffn_norm"), &[hidden], BlockType::F32)
            .tensor(&name("ffn_up"), &[2 * intermediate, hidden], matrices)
            .tensor(&name("ffn_down"), &[hidden, intermediate], matrices);
    }
}

fn gemma3(file: &mut SeededFile, hidden: usize, intermediate: usize, matrices: BlockType) {
    for layer in 0..LAYERS {
        let name = |tensor: &str| format!("blk.{layer}.{tensor}.weight");
        for norm in ["attn_norm", "post_attention_norm", "ffn_norm", "post_ffw_norm"] {
            file.tensor(&name(norm), &[hidden], BlockType::F32);
        }
        file.tensor(&name("attn_q"), &[4 * 32, hidden], matrices)
            .tensor(&name("attn_k"), &[32, hidden], matrices)
            .tensor(&name("attn_v"), &[32, hidden], matrices)
            .tensor(&name("attn_output"), &[hidden, 4 * 32], matrices)
            .tensor(&name("attn_q_norm"), &[32], BlockType::F32)
            .tensor(&name("attn_k_norm"), &[32], BlockType::F32)
            .tensor(&name("ffn_gate"), &[intermediate, hidden], matrices)
            .tensor(&name("ffn_up"), &[intermediate, hidden], matrices)
            .tensor(&name("ffn_down"), &[hidden, intermediate], matrices);
    }
}

fn path(family: Family, test: &str) -> PathBuf {
    seeded(family, BlockType::F32, 3).write(test)
}

fn load(path: PathBuf) -> Box<dyn Model> {
    let checkpoint = Checkpoint::open(path).unwrap();
    ModelFactory::load(&checkpoint, LoadOptions::default(), &mut |_| {}).unwrap()
}

fn refusal(path: PathBuf) -> ModelError {
    let checkpoint = Checkpoint::open(path).unwrap();
    match ModelFactory::load(&checkpoint, LoadOptions::default(), &mut |_| {}) {
        Ok(_) => panic!("the file became a model"),
        Err(error) => error,
    }
}

fn tokens(count: usize, step: usize) -> Vec<u32> {
    (0..count).map(|i| (i * step % VOCAB) as u32).collect()
}

/// The last row after `tokens`.
fn last(model: &mut dyn Model, cache: &mut KvCache, tokens: &[u32]) -> Vec<f32> {
    let mut out = Logits::new();
    let step = SequenceStep { tokens, cache };
    model.forward(&mut [step], Rows::Last, &mut out).unwrap();
    assert_eq!((out.rows(), out.vocab()), (1, VOCAB));
    out.row(0).to_vec()
}

/// The last row after `tokens` from an empty cache.
fn whole(model: &mut dyn Model, tokens: &[u32]) -> Vec<f32> {
    let mut cache = model.new_cache();
    last(model, &mut cache, tokens)
}

#[track_caller]
fn assert_close(a: &[f32], b: &[f32]) {
    assert_eq!(a.len(), b.len());
    let distance = a.iter().zip(b).map(|(a, b)| (a - b).abs()).fold(0.0, f32::max);
    assert!(distance <= TOLERANCE, "logits differ by {distance}");
    assert!(a.iter().all(|x| x.is_finite()));
}

#[test]
fn capabilities_say_one_sequence_without_forks() {
    for family in FAMILIES {
        let model = load(path(family, "capabilities"));
        let can = model.capabilities();
        assert_eq!((can.max_sequences, can.fork), (1, false), "{family:?}");
        assert_eq!((can.vocab, can.context), (VOCAB, CONTEXT));
    }
}

#[test]
fn logits_are_finite_and_the_same_at_every_load() {
    for family in FAMILIES {
        let path = path(family, "same");
        let (mut first, mut second) = (load(path.clone()), load(path));
        let tokens = tokens(50, 7);
        let logits = whole(&mut *first, &tokens);
        assert!(logits.iter().all(|x| x.is_finite()));
        assert!(logits.iter().any(|x| *x != logits[0]));
        assert_eq!(logits, whole(&mut *second, &tokens), "{family:?}");
    }
}

#[test]
fn a_prompt_in_chunks_is_the_prompt_at_once() {
    for family in FAMILIES {
        let mut model = load(path(family, "chunks"));
        let tokens = tokens(CONTEXT - 10, 7);
        let at_once = whole(&mut *model, &tokens);
        for cuts in [&[1, 2][..], &[64], &[5, 70, 71, 100], &[149]] {
            let mut cache = model.new_cache();
            let mut from = 0;
            let mut row = Vec::new();
            for to in cuts.iter().copied().chain([tokens.len()]) {
                row = last(&mut *model, &mut cache, &tokens[from..to]);
                from = to;
            }
            assert_eq!(cache.len(), tokens.len());
            assert_close(&row, &at_once);
        }
    }
}

#[test]
fn requests_in_a_row_are_what_they_are_on_a_fresh_model() {
    for family in FAMILIES {
        let path = path(family, "requests");
        let mut model = load(path.clone());
        for prompt in [tokens(40, 7), tokens(1, 1), tokens(40, 7), tokens(90, 3)] {
            let mut cache = model.new_cache();
            let mut fresh = load(path.clone());
            let mut fresh_cache = fresh.new_cache();
            let row = last(&mut *model, &mut cache, &prompt);
            assert_eq!(row, last(&mut *fresh, &mut fresh_cache, &prompt), "{family:?}");
            for token in [9, 11, 13] {
                let row = last(&mut *model, &mut cache, &[token]);
                assert_eq!(row, last(&mut *fresh, &mut fresh_cache, &[token]), "{family:?}");
            }
        }
    }
}

#[test]
fn a_second_prompt_behind_generated_tokens_sees_them() {
    for family in FAMILIES {
        let mut model = load(path(family, "second"));
        let mut cache = model.new_cache();
        last(&mut *model, &mut cache, &[1, 2, 3]);
        for token in [50, 60, 70] {
            last(&mut *model, &mut cache, &[token]);
        }
        let row = last(&mut *model, &mut cache, &[4, 5, 6, 7]);
        assert_close(&row, &whole(&mut *model, &[1, 2, 3, 50, 60, 70, 4, 5, 6, 7]));
        let other = whole(&mut *model, &[1, 2, 3, 50, 60, 71, 4, 5, 6, 7]);
        assert!(row.iter().zip(&other).any(|(a, b)| (a - b).abs() > TOLERANCE));
    }
}

#[test]
fn interleaved_truncated_and_forked_caches_give_their_own_logits() {
    for family in FAMILIES {
        let mut model = load(path(family, "interleaved"));
        let (a, b) = (tokens(20, 7), tokens(20, 11));
        let (mut first, mut second) = (model.new_cache(), model.new_cache());
        last(&mut *model, &mut first, &a);
        last(&mut *model, &mut second, &b);
        let row = last(&mut *model, &mut first, &[5]);
        assert_close(&row, &whole(&mut *model, &[&a[..], &[5]].concat()));
        second.truncate(7);
        let row = last(&mut *model, &mut second, &[5, 6]);
        assert_close(&row, &whole(&mut *model, &[&b[..7], &[5, 6]].concat()));
        let mut fork = first.fork(3).unwrap();
        let row = last(&mut *model, &mut fork, &[8]);
        assert_close(&row, &whole(&mut *model, &[&a[..3], &[8]].concat()));
    }
}

#[test]
fn listed_and_all_rows_are_the_last_rows_of_their_prefixes() {
    for family in FAMILIES {
        let mut model = load(path(family, "rows"));
        let tokens = tokens(12, 7);
        let mut out = Logits::new();
        let mut cache = model.new_cache();
        let step = SequenceStep {
            tokens: &tokens,
            cache: &mut cache,
        };
        model.forward(&mut [step], Rows::All, &mut out).unwrap();
        let rows: Vec<Vec<f32>> = (0..12).map(|row| out.row(row).to_vec()).collect();
        let mut cache = model.new_cache();
        let list = [7, 2, 7].map(|row| RowAt { sequence: 0, row });
        let step = SequenceStep {
            tokens: &tokens,
            cache: &mut cache,
        };
        model.forward(&mut [step], Rows::List(&list), &mut out).unwrap();
        assert_eq!((out.rows(), cache.len()), (3, 12));
        for (i, at) in list.iter().enumerate() {
            assert_close(out.row(i), &rows[at.row]);
        }
        for (end, row) in rows.iter().enumerate() {
            assert_close(row, &whole(&mut *model, &tokens[..=end]));
        }
        let step = SequenceStep {
            tokens: &[3],
            cache: &mut cache,
        };
        model.forward(&mut [step], Rows::List(&[]), &mut out).unwrap();
        assert_eq!((out.rows(), cache.len()), (0, 13));
    }
}

#[test]
fn what_cannot_run_is_refused_and_leaves_the_cache_as_it_was() {
    for family in FAMILIES {
        let mut model = load(path(family, "refused"));
        let mut out = Logits::new();
        let mut cache = model.new_cache();
        last(&mut *model, &mut cache, &[1, 2, 3]);
        let long = vec![1; CONTEXT];
        for (tokens, rows) in [
            (&[][..], Rows::Last),
            (&[VOCAB as u32][..], Rows::Last),
            (&long[..], Rows::Last),
            (&[1][..], Rows::List(&[RowAt { sequence: 0, row: 1 }])),
            (&[1][..], Rows::Hidden(Pooling::Mean)),
        ] {
            let cache = &mut cache;
            let step = SequenceStep { tokens, cache };
            assert!(model.forward(&mut [step], rows, &mut out).is_err());
            assert_eq!(cache.len(), 3);
        }
        let row = last(&mut *model, &mut cache, &[4]);
        assert_close(&row, &whole(&mut *model, &[1, 2, 3, 4]));

        let mut others = [model.new_cache(), model.new_cache()];
        let mut steps: Vec<SequenceStep<'_>> = others
            .iter_mut()
            .map(|cache| SequenceStep { tokens: &[1], cache })
            .collect();
        assert!(matches!(
            model.forward(&mut steps, Rows::Last, &mut out),
            Err(ModelError::TooManySequences { sequences: 2, max: 1 })
        ));
        for (mut foreign, held) in [(KvCache::counting(), 0), (model.new_cache(), 2)] {
            foreign.advance(held);
            let step = SequenceStep {
                tokens: &[1],
                cache: &mut foreign,
            };
            let result = model.forward(&mut [step], Rows::Last, &mut out);
            assert!(matches!(result, Err(ModelError::ForeignCache { .. })));
        }
    }
}

#[test]
fn block_types_run_whether_candle_knows_them_or_not() {
    for family in FAMILIES {
        for kind in [BlockType::Q8_0, BlockType::F16, BlockType::IQ4_NL] {
            let mut model = load(seeded(family, kind, 5).write(&format!("blocks-{kind:?}")));
            let tokens = tokens(30, 7);
            let row = whole(&mut *model, &tokens);
            let mut cache = model.new_cache();
            last(&mut *model, &mut cache, &tokens[..13]);
            assert_close(&last(&mut *model, &mut cache, &tokens[13..]), &row);
        }
    }
}

#[test]
fn a_plan_counts_copies_and_progress_reaches_its_total() {
    for family in FAMILIES {
        let checkpoint = Checkpoint::open(seeded(family, BlockType::Q8_0, 5).write("plan")).unwrap();
        let plan = ModelFactory::plan(&checkpoint, LoadOptions::default()).unwrap();
        let stored: u64 = checkpoint.stored().iter().filter_map(|tensor| tensor.bytes).sum();
        let (table, head) = (
            4 * (VOCAB * 64) as u64,
            if matches!(family, Family::Gemma3) { 32 } else { 16 },
        );
        let angles = (4 * CONTEXT * head) as u64;
        let expected = match family {
            // The tied table is held as rows and as the output projection.
            Family::Qwen2 => stored + table + angles,
            Family::Phi3 => stored - (VOCAB * 64 / 32 * 34) as u64 + table + angles,
            Family::Gemma3 => 4 * plan.parameters + LAYERS as u64 * angles,
        };
        assert_eq!(plan.resident_bytes, expected, "{family:?}");
        let decoded = matches!(family, Family::Gemma3);
        let residence = if decoded {
            Residence::Decoded
        } else {
            Residence::Copied
        };
        assert_eq!(plan.residence, residence);
        let mut seen = Vec::new();
        ModelFactory::load(&checkpoint, LoadOptions::default(), &mut |progress| {
            seen.push(progress)
        })
        .unwrap();
        let last = seen.last().unwrap();
        assert!(seen.is_sorted_by_key(|progress| progress.done));
        assert_eq!(last.done, last.total, "{family:?}");
    }
}

#[test]
fn settings_that_candle_would_ignore_are_refused() {
    for (family, key, value, shown) in [
        (Family::Phi3, "rope.freq_base", 250_000.0, "250000"),
        (Family::Qwen2, "rope.freq_base", f32::NAN, "NaN"),
    ] {
        let mut file = seeded(family, BlockType::F32, 3);
        file.set(key, value);
        let error = refusal(file.write(&format!("ignored-{shown}"))).to_string();
        assert!(error.contains(key) && error.contains(shown), "{error}");
    }
    let mut file = seeded(Family::Gemma3, BlockType::F32, 3);
    file.set("rope.scaling.type", "linear")
        .set("rope.scaling.factor", 8.0f32);
    let error = refusal(file.write("scaled")).to_string();
    assert!(error.contains("rope.scaling.type"), "{error}");
    let mut file = seeded(Family::Phi3, BlockType::F32, 3);
    file.tensor("rope_factors_long.weight", &[8], BlockType::F32);
    let error = refusal(file.write("factors")).to_string();
    assert!(error.contains("not known: rope_factors_long.weight"), "{error}");
}

#[test]
fn a_window_bounds_the_context_where_candle_does_not_know_it() {
    let mut file = seeded(Family::Phi3, BlockType::F32, 3);
    file.set("attention.sliding_window", 100u32);
    assert_eq!(load(file.write("window")).capabilities().context, 100);
}

#[test]
fn options_that_candle_cannot_honour_are_refused() {
    let checkpoint = Checkpoint::open(path(Family::Qwen2, "options")).unwrap();
    for options in [
        LoadOptions {
            cache: Some(CacheType::F16),
            ..LoadOptions::default()
        },
        LoadOptions {
            compute: Compute::Fast,
            ..LoadOptions::default()
        },
        LoadOptions {
            weights: HeldWeights::Mapped,
            ..LoadOptions::default()
        },
        LoadOptions {
            weights: HeldWeights::Decoded,
            ..LoadOptions::default()
        },
    ] {
        let result = ModelFactory::load(&checkpoint, options, &mut |_| {});
        assert!(matches!(result.err(), Some(ModelError::Unsupported { .. })));
        assert!(ModelFactory::plan(&checkpoint, options).is_err());
    }
}

/// The same weights as a Llama file, whose forward pass is our own: projections split, biases left out, and queries
/// and keys with the two entries of each rotated pair side by side.
fn as_llama(path: PathBuf, kv_heads: usize) -> PathBuf {
    let from = GgufFile::open(&path).unwrap();
    let mut to = GgufWriter::new();
    let prefix = from.metadata().str("general.architecture").unwrap().to_owned();
    for (key, value) in from.metadata().iter() {
        to.metadata(key.replace(&prefix, "llama"), value.clone());
    }
    to.metadata("general.architecture", "llama");
    let mut add = |name: &str, columns: usize, bytes: &[u8]| {
        let rows = bytes.len() / 4 / columns;
        let shape = if name.contains("norm") {
            vec![columns]
        } else {
            vec![rows, columns]
        };
        to.tensor(name, &shape, BlockType::F32, bytes.to_vec()).unwrap();
    };
    for tensor in from
        .tensors()
        .iter()
        .filter(|tensor| !tensor.name.ends_with("bias"))
    {
        let (name, bytes) = (tensor.name.as_str(), from.bytes(tensor).unwrap());
        let columns = *tensor.shape.last().unwrap();
        let rows = |range: std::ops::Range<usize>| &bytes[4 * columns * range.start..4 * columns * range.end];
        let beside = |bytes: &[u8]| side_by_side(bytes, columns);
        let called = |new: &str| name.replace("attn_qkv", new).replace("ffn_up", new);
        let kv = 16 * kv_heads;
        if name.contains("attn_qkv") {
            add(&called("attn_q"), columns, &beside(rows(0..64)));
            add(&called("attn_k"), columns, &beside(rows(64..64 + kv)));
            add(&called("attn_v"), columns, rows(64 + kv..64 + 2 * kv));
        } else if name.contains("ffn_up") && tensor.shape[0] == 2 * 96 {
            add(&called("ffn_gate"), columns, rows(0..96));
            add(&called("ffn_up"), columns, rows(96..192));
        } else if name.contains("attn_q.") || name.contains("attn_k.") {
            add(name, columns, &beside(bytes));
        } else {
            add(name, columns, bytes);
        }
    }
    let path = path.with_extension("llama.gguf");
    to.write(&path).unwrap();
    path
}

/// Rows of heads of 16: those of a pair, eight apart, moved together.
fn side_by_side(bytes: &[u8], columns: usize) -> Vec<u8> {
    let rows: Vec<&[u8]> = bytes.chunks_exact(4 * columns).collect();
    let heads = rows.chunks_exact(16);
    heads
        .flat_map(|head| (0..8).flat_map(move |pair| [head[pair], head[pair + 8]]))
        .flatten()
        .copied()
        .collect()
}

#[test]
fn qwen2_without_biases_and_phi3_are_our_own_llama() {
    for (family, kv_heads) in [(Family::Qwen2, 2), (Family::Phi3, 4)] {
        let mut file = seeded(family, BlockType::F32, 3);
        if matches!(family, Family::Qwen2) {
            file.set("rope.freq_base", 5e5f32);
        }
        file.zero("bias");
        let path = file.write("oracle");
        let mut own = load(as_llama(path.clone(), kv_heads));
        let mut borrowed = load(path);
        assert_ne!(
            own.capabilities().architecture,
            borrowed.capabilities().architecture
        );
        let tokens = tokens(100, 7);
        assert_close(&whole(&mut *borrowed, &tokens), &whole(&mut *own, &tokens));
    }
}

#[test]
fn biases_of_qwen2_change_its_logits() {
    let mut file = seeded(Family::Qwen2, BlockType::F32, 3);
    let with = whole(&mut *load(file.write("biased")), &tokens(20, 7));
    file.zero("bias");
    let without = whole(&mut *load(file.write("unbiased")), &tokens(20, 7));
    assert!(with.iter().zip(&without).any(|(a, b)| (a - b).abs() > TOLERANCE));
}

#[test]
fn gemma3_looks_back_as_far_as_its_windows_reach() {
    let mut file = seeded(Family::Gemma3, BlockType::F32, 3);
    // Every layer has a window of 24, so that three of them reach 3 * 23 positions back.
    file.set("attention.sliding_window_pattern", 100u32);
    let mut model = load(file.write("reach"));
    for chunk in [1, 200] {
        let mut run = |first: u32, count: usize| {
            let mut tokens = tokens(count, 7);
            tokens[0] = first;
            let mut cache = model.new_cache();
            let chunks = tokens.chunks(chunk);
            chunks
                .map(|chunk| last(&mut *model, &mut cache, chunk))
                .last()
                .unwrap()
        };
        assert_ne!(run(3, 3 * 23 + 1), run(150, 3 * 23 + 1));
        assert_eq!(run(3, 3 * 23 + 2), run(150, 3 * 23 + 2));
    }
}
