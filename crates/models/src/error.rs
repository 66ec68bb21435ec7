//! What can go wrong between a file on disk and a row of logits.

use std::path::PathBuf;

/// Every failure of this crate; each message names the offending value.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ModelError {
    /// The file could not be opened, measured or mapped.
    #[error("cannot read {}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// The path is a directory, a pipe or a device.
    #[error("{} is not a file", path.display())]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// The file does not begin as a GGUF file does.
    #[error("{} is not a GGUF file: it begins with {:?}", path.display(), magic.escape_ascii().to_string())]
    NotGguf {
        /// The file.
        path: PathBuf,
        /// Its first four bytes.
        magic: [u8; 4],
    },
    /// The GGUF file is of a version that is not read here.
    #[error("{} has GGUF version {version}, not 2 or 3 in little-endian order", path.display())]
    GgufVersion {
        /// The file.
        path: PathBuf,
        /// The version found.
        version: u32,
    },
    /// The file ends before something that its header promises.
    #[error("{}: {what} of {needed} bytes at {offset} passes the end of the file at {length}", path.display())]
    Truncated {
        /// The file.
        path: PathBuf,
        /// What should stand there.
        what: &'static str,
        /// Where it begins, in bytes from the start of the file.
        offset: u64,
        /// Its length in bytes.
        needed: u64,
        /// The file's length in bytes.
        length: u64,
    },
    /// The data of a tensor would lie past the end of the file.
    #[error("{}: tensor `{tensor}` of {needed} bytes at {offset} passes the end of the file at {length}", path.display())]
    TensorPastEnd {
        /// The file.
        path: PathBuf,
        /// The tensor's name.
        tensor: String,
        /// Where its data begins, in bytes from the start of the file.
        offset: u64,
        /// Length of its data in bytes.
        needed: u64,
        /// The file's length in bytes.
        length: u64,
    },
    /// The file claims more items than its bytes could hold.
    #[error("{}: {count} {what} cannot stand in the {left} bytes that are left", path.display())]
    CountPastEnd {
        /// The file.
        path: PathBuf,
        /// What is counted.
        what: &'static str,
        /// The number claimed.
        count: u64,
        /// Bytes from there to the end of the file.
        left: u64,
    },
    /// Text in the file is not UTF-8.
    #[error("{}: {what} at {offset} is not UTF-8", path.display())]
    NotText {
        /// The file.
        path: PathBuf,
        /// What should be text.
        what: &'static str,
        /// Where it begins, in bytes from the start of the file.
        offset: u64,
        /// Where it stops being UTF-8.
        #[source]
        source: std::str::Utf8Error,
    },
    /// The file says something that cannot be true.
    #[error("{} is damaged: {fault}", path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What it says, with the offending value.
        fault: String,
    },
    /// A file is not the JSON that it should be.
    #[error("{} does not hold the JSON that it should", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// What the parser said, with line and column.
        #[source]
        source: serde_json::Error,
    },
    /// A folder was given that holds no model.
    #[error(
        "{} holds neither `model.safetensors` nor `model.safetensors.index.json`",
        folder.display()
    )]
    NoWeights {
        /// The folder.
        folder: PathBuf,
    },
    /// A folder was given that holds no vocabulary.
    #[error("{} holds neither `tokenizer.json` nor `tiktoken.model`", folder.display())]
    NoTokenizer {
        /// The folder.
        folder: PathBuf,
    },
    /// One file of a model in several is not there.
    #[error("{} is missing; {} needs it", part.display(), whole.display())]
    MissingPart {
        /// The file that is not there.
        part: PathBuf,
        /// The file that was opened: another part, or the index.
        whole: PathBuf,
    },
    /// A file could not be created or written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file has no room on its disk, or would be larger than the user or the file system allows.
    #[error("no room for {} of {bytes} bytes", path.display())]
    DiskFull {
        /// The file.
        path: PathBuf,
        /// Length of the whole file in bytes.
        bytes: u64,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
    /// A file that was to be written would not be readable.
    #[error("cannot write tensor `{tensor}`: {fault}")]
    Unwritable {
        /// The tensor's name.
        tensor: String,
        /// What is wrong with it, with the offending value.
        fault: String,
    },
    /// The file lacks a metadata key that is needed.
    #[error("metadata key `{key}` is missing; it should be {wanted}")]
    MissingMetadata {
        /// The key.
        key: String,
        /// What its value should be.
        wanted: &'static str,
    },
    /// A metadata value has another type than the one needed, or does not fit into it.
    #[error("metadata key `{key}` is {found}, not {wanted}")]
    MetadataType {
        /// The key.
        key: String,
        /// What its value should be.
        wanted: &'static str,
        /// The value found.
        found: String,
    },
    /// Stored blocks and decoded weights do not go together.
    #[error("{bytes} bytes of {kind} do not decode to {weights} weights")]
    BlockLength {
        /// Name of the block type.
        kind: &'static str,
        /// Bytes given.
        bytes: usize,
        /// Weights wanted.
        weights: usize,
    },
    /// `general.architecture` names a model family without a definition here.
    #[error("unknown architecture `{name}`; known are {known}")]
    UnknownArchitecture {
        /// The name in the file.
        name: String,
        /// The names that have a definition, separated by commas.
        known: String,
    },
    /// A setting in the file is outside what the architecture's definition can run.
    #[error("`{key}` is {value}, but {wanted}")]
    Setting {
        /// The metadata key.
        key: String,
        /// The value found.
        value: String,
        /// What would have been accepted.
        wanted: String,
    },
    /// Tensors that the architecture needs are missing or misshapen, or the file has tensors that it does not know.
    #[error(
        "tensors do not fit the architecture: {}",
        list_tensors(missing, misshapen, surplus)
    )]
    Tensors {
        /// Names that the architecture needs and the file lacks.
        missing: Vec<String>,
        /// Tensors whose shape is not the one needed, as `name (found) instead of (needed)`.
        misshapen: Vec<String>,
        /// Names in the file that the architecture has no place for.
        surplus: Vec<String>,
    },
    /// A tensor's block type has no decoder.
    #[error("tensor `{tensor}` has the unknown type {id}")]
    UnknownTensorType {
        /// The tensor's name.
        tensor: String,
        /// The type's number in the file.
        id: u32,
    },
    /// A tensor's element type cannot be decoded.
    #[error("tensor `{tensor}` has the unknown element type {element:?}")]
    UnknownElement {
        /// The tensor's name.
        tensor: String,
        /// The type's name in the file.
        element: String,
    },
    /// The vocabulary is of a kind whose rules are not known here.
    #[error("unknown tokenizer {what} `{name}`; known are {known}")]
    UnknownTokenizer {
        /// What is not known.
        what: &'static str,
        /// Its name in the file.
        name: String,
        /// The names that are known.
        known: String,
    },
    /// The vocabulary contradicts itself.
    #[error("the vocabulary is damaged: {fault}")]
    Vocabulary {
        /// What is wrong with it, with the offending value.
        fault: String,
    },
    /// A tokenizer file is not what its name says.
    #[error("{} is not a tokenizer file", path.display())]
    TokenizerFile {
        /// The file.
        path: PathBuf,
        /// What its parser said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A text could not be split into tokens.
    #[error("the text cannot be tokenized")]
    Tokenize {
        /// What the tokenizer said.
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
    /// A token id is not in the vocabulary.
    #[error("token {token} is outside the vocabulary of {vocab} tokens")]
    TokenOutOfVocabulary {
        /// The id.
        token: u32,
        /// Size of the vocabulary.
        vocab: usize,
    },
    /// A sequence would grow past the positions that the model knows.
    #[error("{positions} positions exceed the context of {context}")]
    ContextOverflow {
        /// Cached positions and new tokens together.
        positions: usize,
        /// Positions that the model has.
        context: usize,
    },
    /// A sequence came without new tokens.
    #[error("sequence {sequence} of the batch has no new tokens")]
    EmptyStep {
        /// Index of the sequence in the batch.
        sequence: usize,
    },
    /// More sequences were given than the model can run at once.
    #[error("{sequences} sequences exceed the {max} that this model runs at once")]
    TooManySequences {
        /// Sequences in the batch.
        sequences: usize,
        /// The most that the model takes.
        max: usize,
    },
    /// A row of logits was asked for that the batch does not hold.
    #[error("row {row} of sequence {sequence} is not in the batch")]
    RowOutOfBatch {
        /// Index of the sequence in the batch.
        sequence: usize,
        /// Index among the sequence's new tokens.
        row: usize,
    },
    /// A cache was given to a model that did not make it.
    #[error("the cache was made for {found}, this model needs {needed}")]
    ForeignCache {
        /// Layout of the cache.
        found: String,
        /// Layout that the model writes.
        needed: String,
    },
    /// More positions were asked for than a cache holds.
    #[error("a prefix of {prefix} positions is longer than the cached {len}")]
    PrefixTooLong {
        /// Positions asked for.
        prefix: usize,
        /// Positions held.
        len: usize,
    },
    /// An architecture, as it is run here, cannot do what was asked for.
    #[error("architecture `{architecture}` does not run with {what}")]
    Unsupported {
        /// The architecture's name.
        architecture: String,
        /// What was asked for.
        what: &'static str,
    },
    /// The tensor framework refused an operation.
    #[error("tensor operation failed")]
    Tensor(#[from] candle_core::Error),
    /// A kernel was given what does not fit its matrix.
    #[error("a product of the forward pass failed")]
    Product(#[from] simd_matmul::MatrixError),
    /// The system gives no threads to compute with.
    #[error("cannot start {threads} threads to compute with")]
    Threads {
        /// Threads that were asked for.
        threads: usize,
        /// What the operating system said.
        #[source]
        source: std::io::Error,
    },
}

/// Names of a kind that a message lists before it counts the rest; the error's fields have them all.
const LISTED: usize = 8;

fn list_tensors(missing: &[String], misshapen: &[String], surplus: &[String]) -> String {
    let listed = |(what, names): (&str, &[String])| match names {
        [] => None,
        names if names.len() <= LISTED => Some(format!("{what}: {}", names.join(", "))),
        names => {
            let (shown, rest) = names.split_at(LISTED);
            Some(format!("{what}: {} and {} more", shown.join(", "), rest.len()))
        }
    };
    let parts = [
        ("missing", missing),
        ("misshapen", misshapen),
        ("not known", surplus),
    ];
    parts
        .into_iter()
        .filter_map(listed)
        .collect::<Vec<_>>()
        .join("; ")
}

impl ModelError {
    /// One tensor that is not there.
    pub(crate) fn missing_tensor(name: &str) -> Self {
        Self::Tensors {
            missing: vec![name.to_owned()],
            misshapen: Vec::new(),
            surplus: Vec::new(),
        }
    }

    /// One tensor of another shape than its place needs.
    pub(crate) fn misshapen_tensor(name: &str, found: &[usize], needed: &[usize]) -> Self {
        let misshapen = vec![format!("{name} {found:?} instead of {needed:?}")];
        Self::Tensors {
            missing: Vec::new(),
            misshapen,
            surplus: Vec::new(),
        }
    }
}
