//! Vocabularies small enough to work out by hand, and what must hold for any text.

mod ranked;

use std::fs;
use std::path::PathBuf;
use std::sync::LazyLock;

use proptest::prelude::*;
use serde_json::json;
use tokenizers::pre_tokenizers::PreTokenizerWrapper;
use tokenizers::{OffsetReferential, OffsetType, PreTokenizedString, PreTokenizer};

use super::pre::Pre;
use super::*;
use crate::gguf::{Array, GgufWriter, Value};

const MERGES: [&str; 5] = ["t h", "th e", "Ġ the", "i n", "Ġ a"];
const MARKS: [(&str, i32); 6] = [
    ("<|bos|>", 3),
    ("<|im_end|>", 3),
    ("<think>", 4),
    ("[PAD]", 5),
    ("wholly", 1),
    ("<unk>", 2),
];

/// A byte-level vocabulary: 256 letters, then what the merges make, then the marks.
fn byte_level_names() -> (Vec<String>, Vec<i32>) {
    let mut names: Vec<String> = (0..=255)
        .map(|byte| byte_level::letter(byte).to_string())
        .collect();
    names.extend(MERGES.iter().map(|merge| merge.replace(' ', "")));
    let mut classes = vec![1; names.len()];
    names.extend(MARKS.iter().map(|(name, _)| (*name).to_owned()));
    classes.extend(MARKS.iter().map(|(_, class)| *class));
    (names, classes)
}

fn byte_level_writer(pre: &str) -> GgufWriter<'static> {
    let (names, classes) = byte_level_names();
    let mut writer = GgufWriter::new();
    writer
        .metadata("tokenizer.ggml.model", "gpt2")
        .metadata("tokenizer.ggml.pre", pre)
        .metadata("tokenizer.ggml.tokens", Array::of_strings(&names))
        .metadata("tokenizer.ggml.token_type", Array::of_i32(&classes))
        .metadata("tokenizer.ggml.merges", Array::of_strings(&MERGES))
        .metadata("tokenizer.ggml.bos_token_id", 261u32)
        .metadata("tokenizer.ggml.eos_token_id", 0u32)
        .metadata("tokenizer.chat_template", "{{ messages }}");
    writer
}

/// A SentencePiece vocabulary: three marks, 256 bytes, then pieces.
fn spm_writer() -> GgufWriter<'static> {
    let mut names = vec!["<unk>".to_owned(), "<s>".to_owned(), "</s>".to_owned()];
    let mut classes = vec![2, 3, 3];
    names.extend((0..=255).map(|byte| format!("<0x{byte:02X}>")));
    classes.extend([6; 256]);
    let pieces = ["▁the", "he", "▁t", "▁", "t", "h", "e", "é"];
    names.extend(pieces.map(str::to_owned));
    classes.extend([1; 8]);
    let mut scores = vec![0.0; 259];
    scores.extend((0..8).map(|rank| -(rank as f32)));
    let mut writer = GgufWriter::new();
    writer
        .metadata("tokenizer.ggml.model", "llama")
        .metadata("tokenizer.ggml.pre", "default")
        .metadata("tokenizer.ggml.tokens", Array::of_strings(&names))
        .metadata("tokenizer.ggml.scores", Array::of_f32(&scores))
        .metadata("tokenizer.ggml.token_type", Array::of_i32(&classes))
        .metadata("tokenizer.ggml.bos_token_id", 1u32)
        .metadata("tokenizer.ggml.eos_token_id", 2u32);
    writer
}

fn read(writer: &GgufWriter<'_>) -> Result<Tokenizer, ModelError> {
    let mut bytes = Vec::new();
    writer.write_to(&mut bytes).unwrap();
    Tokenizer::from_gguf(&GgufFile::from_bytes("held.gguf", bytes).unwrap())
}

fn byte_level(pre: &str) -> Tokenizer {
    read(&byte_level_writer(pre)).unwrap()
}

fn refusal(writer: &GgufWriter<'_>) -> String {
    let message = read(writer).unwrap_err().to_string();
    assert_eq!(message.lines().count(), 1, "{message}");
    message
}

#[test]
fn merges_apply_in_their_order() {
    let tokenizer = byte_level("gpt-2");
    let the = tokenizer.token_id("Ġthe").unwrap();
    let (th, a) = (
        tokenizer.token_id("th").unwrap(),
        tokenizer.token_id("Ġa").unwrap(),
    );
    assert_eq!(tokenizer.encode(" the", Special::Parse).unwrap(), [the]);
    assert_eq!(tokenizer.encode("th a", Special::Parse).unwrap(), [th, a]);
    assert_eq!(tokenizer.encode("", Special::Parse).unwrap(), [0u32; 0]);
    assert_eq!(tokenizer.kind(), "gpt2/gpt-2");
    assert_eq!(tokenizer.chat_template(), Some("{{ messages }}"));
}

#[test]
fn special_tokens_are_parsed_or_taken_literally() {
    let tokenizer = byte_level("qwen2");
    let end = tokenizer.token_id("<|im_end|>").unwrap();
    let parsed = tokenizer.encode("a<|im_end|>", Special::Parse).unwrap();
    assert_eq!(parsed, [u32::from(b'a'), end]);
    assert_eq!(tokenizer.decode(&parsed).unwrap(), "a");
    let literal = tokenizer.encode("a<|im_end|>", Special::Literal).unwrap();
    assert!(!literal.contains(&end));
    assert_eq!(tokenizer.decode(&literal).unwrap(), "a<|im_end|>");
}

#[test]
fn user_defined_tokens_are_text_and_special_ones_are_not() {
    let tokenizer = byte_level("qwen2");
    let think = tokenizer.token_id("<think>").unwrap();
    assert_eq!(tokenizer.encode("<think>", Special::Literal).unwrap(), [think]);
    assert_eq!(tokenizer.token_bytes(think), Some(&b"<think>"[..]));
    assert!(!tokenizer.is_special(think));
    let end = tokenizer.token_id("<|im_end|>").unwrap();
    assert_eq!(tokenizer.token_bytes(end), Some(&b""[..]));
    assert_eq!(tokenizer.token_text(end), Some("<|im_end|>"));
    assert!(tokenizer.is_special(end));
    // What the file names, the token that begins sequences, and the end of a turn.
    assert_eq!(tokenizer.end_of_generation(), [0, 261, end]);
}

#[test]
fn special_tokens_are_shown_where_that_is_asked_for() {
    let hiding = byte_level("qwen2");
    let end = hiding.token_id("<|im_end|>").unwrap();
    let showing = hiding.showing(&["<|im_end|>", "no such token", "wholly"]);
    let ids = showing.encode("a<|im_end|>", Special::Parse).unwrap();
    assert_eq!(ids, [u32::from(b'a'), end]);
    assert_eq!(showing.decode(&ids).unwrap(), "a<|im_end|>");
    assert_eq!(hiding.decode(&ids).unwrap(), "a");
    assert!(!showing.is_special(end));
    assert_eq!(
        (hiding.mark("<|im_end|>"), showing.mark("<|im_end|>")),
        (None, Some(end))
    );
    assert_eq!(hiding.mark("<think>"), hiding.token_id("<think>"));
    assert_eq!((hiding.mark("wholly"), hiding.mark("<other>")), (None, None));
    assert!(showing.is_special(showing.token_id("<|bos|>").unwrap()));
    assert_eq!(showing.end_of_generation(), hiding.end_of_generation());
    for id in (0..267).filter(|id| *id != end) {
        assert_eq!(showing.token_bytes(id), hiding.token_bytes(id), "{id}");
        assert_eq!(showing.token_text(id), hiding.token_text(id), "{id}");
    }
}

#[test]
fn ids_past_the_vocabulary_have_no_bytes_and_do_not_decode() {
    let tokenizer = byte_level("qwen2");
    let past = u32::try_from(tokenizer.vocab_size()).unwrap();
    assert_eq!(past, 267);
    assert_eq!(tokenizer.token_bytes(past), None);
    assert_eq!(tokenizer.token_text(past), None);
    assert!(!tokenizer.is_special(past));
    let message = tokenizer.decode(&[0, past]).unwrap_err().to_string();
    assert!(message.contains("267"), "{message}");
}

#[test]
fn a_prompt_begins_with_bos_once_where_the_model_wants_it() {
    let llama = byte_level("llama-bpe");
    assert!(llama.adds_bos());
    assert_eq!(llama.encode_prompt("").unwrap(), [261]);
    assert_eq!(llama.encode_prompt("a").unwrap(), [261, u32::from(b'a')]);
    assert_eq!(llama.encode_prompt("<|bos|>a").unwrap(), [261, u32::from(b'a')]);
    assert_eq!(byte_level("qwen2").encode_prompt("a").unwrap(), [u32::from(b'a')]);
    let mut says = byte_level_writer("qwen2");
    says.metadata("tokenizer.ggml.add_bos_token", true);
    assert_eq!(read(&says).unwrap().encode_prompt("").unwrap(), [261]);
}

#[test]
fn a_word_in_the_vocabulary_is_taken_whole_where_the_rule_says_so() {
    let wholly = 265;
    assert_eq!(
        byte_level("llama-bpe").encode("wholly", Special::Parse).unwrap(),
        [wholly]
    );
    assert_eq!(
        byte_level("qwen2")
            .encode("wholly", Special::Parse)
            .unwrap()
            .len(),
        6
    );
}

#[test]
fn qwen_text_is_composed_first() {
    let tokenizer = byte_level("qwen2");
    let decomposed = tokenizer.encode("e\u{301}", Special::Parse).unwrap();
    assert_eq!(tokenizer.decode(&decomposed).unwrap(), "\u{e9}");
}

#[test]
fn an_unknown_or_missing_rule_is_an_error_that_names_it() {
    let message = refusal(&byte_level_writer("future-bpe"));
    assert!(
        message.contains("future-bpe") && message.contains("qwen2"),
        "{message}"
    );
    let mut other = byte_level_writer("qwen2");
    other.metadata("tokenizer.ggml.model", "bert");
    assert!(refusal(&other).contains("bert"));
    assert!(refusal(&GgufWriter::new()).contains("tokenizer.ggml.tokens"));
}

#[test]
fn every_known_rule_can_be_made() {
    for name in Pre::KNOWN.split(", ") {
        assert!(Pre::named(name).unwrap().cutter().is_ok(), "{name}");
    }
}

#[test]
fn damaged_vocabularies_are_refused_by_value() {
    let with = |key: &str, value: Value| {
        let mut writer = byte_level_writer("qwen2");
        writer.metadata(key, value);
        refusal(&writer)
    };
    let merges = |merge: &str| with("tokenizer.ggml.merges", Array::of_strings(&[merge]).into());
    assert!(merges("q zzz").contains("zzz"));
    assert!(merges("q z").contains("qz"));
    assert!(merges("qz").contains("qz"));
    assert!(merges("").contains("merge"));
    assert!(merges("th Ġthe").contains("thĠthe"));
    assert!(with("tokenizer.ggml.eos_token_id", 267u32.into()).contains("267"));
    assert!(with("tokenizer.ggml.token_type", Array::of_i32(&[1]).into()).contains("267"));
    assert!(with("tokenizer.ggml.tokens", Array::of_f32(&[1.0]).into()).contains("strings"));
    let mut lacking = byte_level_writer("qwen2");
    lacking
        .metadata("tokenizer.ggml.tokens", Array::of_strings(&["a"]))
        .metadata("tokenizer.ggml.token_type", Array::of_i32(&[1]))
        .metadata("tokenizer.ggml.merges", Array::of_strings::<&str>(&[]))
        .metadata("tokenizer.ggml.bos_token_id", 0u32);
    assert!(refusal(&lacking).contains("0x00"));
    let mut scores = spm_writer();
    scores.metadata("tokenizer.ggml.scores", Array::of_f32(&[0.0]));
    assert!(refusal(&scores).contains('1'));
}

#[test]
fn sentence_pieces_merge_by_score_and_fall_back_to_bytes() {
    let tokenizer = read(&spm_writer()).unwrap();
    let id = |name: &str| tokenizer.token_id(name).unwrap();
    assert_eq!(tokenizer.encode("the", Special::Parse).unwrap(), [id("▁the")]);
    assert_eq!(
        tokenizer.encode("the he", Special::Parse).unwrap(),
        [id("▁the"), id("▁"), id("he")]
    );
    let fallback = tokenizer.encode("\né🦙", Special::Parse).unwrap();
    let bytes = ["<0x0A>", "é", "<0xF0>", "<0x9F>", "<0xA6>", "<0x99>"].map(id);
    assert_eq!(fallback, [&[id("▁")][..], &bytes].concat());
    assert_eq!(tokenizer.decode(&fallback).unwrap(), "\né🦙");
    assert_eq!(tokenizer.token_bytes(id("<0xF0>")), Some(&[0xf0][..]));
    assert_eq!(tokenizer.kind(), "llama");
}

#[test]
fn a_sentence_piece_text_loses_one_space_at_its_start() {
    let tokenizer = read(&spm_writer()).unwrap();
    assert!(tokenizer.strips_first_space());
    let ids = tokenizer.encode_prompt(" the").unwrap();
    assert_eq!(tokenizer.decode(&ids).unwrap(), " the");
    assert_eq!(tokenizer.encode_prompt("").unwrap(), [1]);
    assert_eq!(tokenizer.end_of_generation(), [1, 2]);

    let mut bare = spm_writer();
    bare.metadata("tokenizer.ggml.add_space_prefix", false);
    let bare = read(&bare).unwrap();
    assert!(!bare.strips_first_space());
    assert_eq!(
        bare.decode(&bare.encode("the", Special::Parse).unwrap()).unwrap(),
        "the"
    );
}

#[test]
fn text_after_a_special_token_begins_a_sentence_piece_anew() {
    let tokenizer = read(&spm_writer()).unwrap();
    let the = tokenizer.token_id("▁the").unwrap();
    assert_eq!(
        tokenizer.encode("the</s>the", Special::Parse).unwrap(),
        [the, 2, the]
    );
}

fn pieces(cutter: &PreTokenizerWrapper, text: &str) -> Vec<String> {
    let mut cut = PreTokenizedString::from(text);
    cutter.pre_tokenize(&mut cut).unwrap();
    let splits = cut.get_splits(OffsetReferential::Original, OffsetType::Byte);
    splits
        .into_iter()
        .map(|(_, (start, end), _)| text[start..end].to_owned())
        .collect()
}

#[test]
fn each_rule_cuts_words_numbers_and_scripts_in_its_own_way() {
    let text = "It's 1234 你好ok\n\n x";
    let cut = |name: &str| pieces(&Pre::named(name).unwrap().cutter().unwrap(), text);
    assert_eq!(cut("gpt-2"), ["It", "'s", " 1234", " 你好ok", "\n\n", " x"]);
    assert_eq!(
        cut("smollm"),
        ["It", "'s", " ", "1", "2", "3", "4", " 你好ok", "\n\n", " x"]
    );
    assert_eq!(
        cut("qwen2"),
        ["It", "'s", " ", "1", "2", "3", "4", " 你好ok", "\n\n", " x"]
    );
    assert_eq!(
        cut("llama-bpe"),
        ["It", "'s", " ", "123", "4", " 你好ok", "\n\n", " x"]
    );
    assert_eq!(
        cut("kimi-k2"),
        ["It's", " ", "123", "4", " ", "你好", "ok", "\n\n", " x"]
    );
    assert_eq!(
        cut("deepseek-v3"),
        ["It", "'s", " ", "123", "4", " ", "你好", "ok", "\n\n", " x"]
    );
}

/// A folder with a `tokenizer.json` of the same vocabulary, gone when it is dropped.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, tokenizer: &serde_json::Value, config: Option<serde_json::Value>) -> Self {
        let path = std::env::temp_dir().join(format!("tokenizer-{name}-{}", std::process::id()));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("tokenizer.json"), tokenizer.to_string()).unwrap();
        if let Some(config) = config {
            fs::write(path.join("tokenizer_config.json"), config.to_string()).unwrap();
        }
        Self(path)
    }

    fn open(&self) -> Result<Tokenizer, ModelError> {
        Tokenizer::from_file(&self.0.join("tokenizer.json"))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

fn byte_level_json() -> serde_json::Value {
    let (names, classes) = byte_level_names();
    let vocab: serde_json::Map<_, _> = names
        .iter()
        .zip(0..)
        .map(|(name, id)| (name.clone(), json!(id)))
        .collect();
    let added: Vec<_> = (0..)
        .zip(names.iter().zip(&classes))
        .filter(|(_, (_, class))| matches!(class, 3 | 4))
        .map(|(id, (name, class))| {
            json!({"id": id, "content": name, "special": *class == 3, "normalized": false,
                "single_word": false, "lstrip": false, "rstrip": false})
        })
        .collect();
    json!({
        "version": "1.0", "truncation": {"direction": "Right", "max_length": 4, "strategy": "LongestFirst", "stride": 0},
        "padding": null, "added_tokens": added, "normalizer": null,
        "pre_tokenizer": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "post_processor": {"type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<|bos|>", "type_id": 0}}, {"Sequence": {"id": "A", "type_id": 0}}],
            "pair": [{"Sequence": {"id": "A", "type_id": 0}}, {"Sequence": {"id": "B", "type_id": 1}}],
            "special_tokens": {"<|bos|>": {"id": "<|bos|>", "ids": [261], "tokens": ["<|bos|>"]}}},
        "decoder": {"type": "ByteLevel", "add_prefix_space": false, "trim_offsets": true, "use_regex": true},
        "model": {"type": "BPE", "vocab": vocab, "merges": MERGES, "fuse_unk": false, "byte_fallback": false},
    })
}

#[test]
fn a_json_file_and_what_lies_beside_it_make_the_same_tokenizer() {
    let config = json!({"bos_token": {"content": "<|bos|>"}, "eos_token": "<|im_end|>",
        "chat_template": [{"name": "tool_use", "template": "no"}, {"name": "default", "template": "yes"}]});
    let folder = Folder::new("same", &byte_level_json(), Some(config));
    let json = folder.open().unwrap();
    let gguf = byte_level("gpt-2");
    assert_eq!(json.vocab_size(), gguf.vocab_size());
    for id in 0..gguf.vocab_size() as u32 {
        assert_eq!(json.token_text(id), gguf.token_text(id));
        if !matches!(gguf.token_text(id), Some("[PAD]" | "<unk>")) {
            assert_eq!(json.token_bytes(id), gguf.token_bytes(id), "{id}");
        }
    }
    let text = "the<think> in a long text past a truncation<|im_end|>";
    for special in [Special::Parse, Special::Literal] {
        assert_eq!(
            json.encode(text, special).unwrap(),
            gguf.encode(text, special).unwrap()
        );
    }
    assert_eq!((json.bos(), json.eos()), (Some(261), Some(262)));
    assert!(json.adds_bos());
    assert_eq!(json.end_of_generation(), [261, 262]);
    assert_eq!(json.chat_template(), Some("yes"));
    assert_eq!(json.kind(), "tokenizer.json/BPE");
}

#[test]
fn a_json_file_alone_has_no_special_roles() {
    let folder = Folder::new("alone", &byte_level_json(), None);
    let tokenizer = folder.open().unwrap();
    assert_eq!(
        (tokenizer.bos(), tokenizer.eos(), tokenizer.chat_template()),
        (None, None, None)
    );
    assert!(!tokenizer.adds_bos());
    fs::write(folder.0.join("chat_template.jinja"), "from a file").unwrap();
    assert_eq!(folder.open().unwrap().chat_template(), Some("from a file"));
}

#[test]
fn damaged_json_files_are_errors() {
    let damaged = |name: &str, key: &str, value: serde_json::Value| {
        let mut json = byte_level_json();
        *json.pointer_mut(key).unwrap() = value;
        Folder::new(name, &json, None).open().unwrap_err().to_string()
    };
    let long = "a".repeat(300);
    assert!(damaged("merge", "/model/merges", json!([["th", long]])).contains("aaa"));
    assert!(damaged("part", "/model/merges", json!(["th"])).contains("th"));
    assert!(damaged("gap", "/model/vocab/[PAD]", json!(u32::MAX)).contains("4294967295"));
    assert!(damaged("decoder", "/decoder/type", json!("WordPiece")).contains("WordPiece"));
    assert!(damaged("model", "/model", json!(3)).contains("tokenizer.json"));
    let folder = Folder::new("text", &json!("words"), None);
    assert!(folder.open().is_err());
    fs::write(folder.0.join("tokenizer.json"), "{").unwrap();
    assert!(matches!(folder.open(), Err(ModelError::TokenizerFile { .. })));
    assert!(matches!(
        Tokenizer::from_file(&folder.0.join("none.json")),
        Err(ModelError::Io { .. })
    ));
}

/// One tokenizer for each rule that keeps a text as it is.
static BYTE_LEVEL: LazyLock<Vec<Tokenizer>> = LazyLock::new(|| {
    ["gpt-2", "llama-bpe", "kimi-k2", "deepseek-v3", "smollm"]
        .map(byte_level)
        .into()
});
static JSON: LazyLock<Tokenizer> =
    LazyLock::new(|| Folder::new("oracle", &byte_level_json(), None).open().unwrap());
static SPM: LazyLock<Tokenizer> = LazyLock::new(|| read(&spm_writer()).unwrap());

fn token_by_token(tokenizer: &Tokenizer, ids: &[u32]) -> Vec<u8> {
    let all: Vec<u8> = ids
        .iter()
        .flat_map(|&id| tokenizer.token_bytes(id).unwrap())
        .copied()
        .collect();
    match all.strip_prefix(b" ") {
        Some(rest) if tokenizer.strips_first_space() => rest.to_vec(),
        _ => all,
    }
}

proptest! {
    #[test]
    fn any_text_survives_a_byte_level_vocabulary(text in any::<String>()) {
        for tokenizer in BYTE_LEVEL.iter() {
            let ids = tokenizer.encode(&text, Special::Literal).unwrap();
            prop_assert_eq!(tokenizer.decode(&ids).unwrap(), text.as_str());
            prop_assert_eq!(token_by_token(tokenizer, &ids), text.as_bytes());
        }
    }

    #[test]
    fn any_text_survives_a_sentence_piece_vocabulary(text in "[the é\n🦙x]{0,20}") {
        let ids = SPM.encode(&text, Special::Literal).unwrap();
        prop_assert_eq!(SPM.decode(&ids).unwrap(), text.as_str());
        prop_assert_eq!(token_by_token(&SPM, &ids), text.as_bytes());
    }

    #[test]
    fn any_ids_decode_as_the_tokenizers_crate_decodes_them(ids in prop::collection::vec(0u32..264, 0..30)) {
        let tokenizer = &*JSON;
        let oracle = tokenizer.0.parse.decode(&ids, true).unwrap();
        prop_assert_eq!(tokenizer.decode(&ids).unwrap(), oracle);
    }
}
