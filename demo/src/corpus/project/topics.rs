//! Topics: what the documents of this project say, question by question.

/// A question, how it is asked, and what is answered.
pub(super) struct Topic {
    pub(super) questions: &'static [&'static str],
    pub(super) answers: &'static [&'static str],
    /// What an answer has to hold.
    pub(super) words: &'static [&'static str],
}

pub(super) const TOPICS: &[Topic] = &[
    Topic {
        questions: &[
            "what is wick?",
            "tell me about wick.",
            "what does wick do?",
            "explain wick.",
            "what kind of program is wick?",
        ],
        answers: &[
            "wick runs language models on your own machine. It is written in Rust.",
            "wick is a Rust program that runs language models on your own machine.",
        ],
        words: &["language models"],
    },
    Topic {
        questions: &[
            "which language is [wick|this project|the project] written in?",
            "what is wick [written|made|built] in?",
            "in which programming language is it written?",
            "is wick written in [C|Python|Rust|Go]?",
        ],
        answers: &["wick is written in Rust.", "It is written in Rust."],
        words: &["Rust"],
    },
    Topic {
        questions: &[
            "which [tensor |]framework does [wick|the project] use?",
            "what is wick built on?",
            "which library does the tensor work?",
            "does wick use [Candle|PyTorch|a framework]?",
        ],
        answers: &[
            "It is built on the Candle framework.",
            "wick stands on the Candle framework.",
        ],
        words: &["Candle"],
    },
    Topic {
        questions: &[
            "which file formats can [wick|you|it] [read|load]?",
            "which [model |]formats [are supported|does wick support]?",
            "what kind of [model |]files does wick read?",
            "what files can I load?",
        ],
        answers: &[
            "It reads GGUF files and folders of safetensors.",
            "GGUF files, and folders of safetensors as published.",
        ],
        words: &["GGUF", "safetensors"],
    },
    Topic {
        questions: &[
            "which architectures [are supported|does wick support|does it know|can it run]?",
            "which models can [wick|I|it] run?",
            "what models does wick support?",
            "which model families are there?",
        ],
        answers: &[
            "Llama, Qwen3, Qwen3-MoE and DeepSeek-V3. Gemma 3, Phi-3 and Qwen2 run through \
                candle-transformers.",
            "It runs Llama, Qwen3, Qwen3-MoE and DeepSeek-V3 models.",
        ],
        words: &["Llama", "Qwen3", "DeepSeek"],
    },
    Topic {
        questions: &[
            "how do Gemma [3 |]and Phi-3 run?",
            "does wick run [Gemma 3|Phi-3|Qwen2]?",
            "can I [load|use|run] [Gemma 3|Phi-3|Qwen2]?",
            "what is the feature borrowed [for|]?",
        ],
        answers: &[
            "Gemma 3, Phi-3 and Qwen2 run through candle-transformers.",
            "Through candle-transformers, as Gemma 3, Phi-3 and Qwen2 do.",
        ],
        words: &["candle-transformers"],
    },
    Topic {
        questions: &[
            "what is the licence?",
            "which [licence|license] does [wick|the project] have?",
            "how is wick licensed?",
            "may I use wick [freely|at work]?",
            "what license is it under?",
        ],
        answers: &[
            "It is licensed under Apache 2.0 or MIT, at your option.",
            "Apache License 2.0 or MIT license, as you like.",
        ],
        words: &["Apache", "MIT"],
    },
    Topic {
        questions: &[
            "which [Rust version|version of Rust] [do I need|is needed|does it need]?",
            "what Rust do I need?",
            "how new must Rust be?",
            "what is the minimum Rust version?",
        ],
        answers: &["You need Rust 1.95 or later.", "Rust 1.95 or later."],
        words: &["1.95"],
    },
    Topic {
        questions: &[
            "do I need a C compiler?",
            "does it need a C compiler?",
            "what do I need to build wick?",
            "what is needed to build it?",
        ],
        answers: &[
            "No C compiler beyond what the Rust toolchain itself needs; Rust 1.95 or later will do.",
            "Only Rust 1.95 or later, and no C compiler of your own.",
        ],
        words: &["C compiler", "Rust"],
    },
    Topic {
        questions: &[
            "how do I [run|start] the [tests|checks]?",
            "how are changes checked?",
            "what does cargo xtask ci do?",
            "how do I check [the project|my change]?",
        ],
        answers: &[
            "Run cargo xtask ci: format, lints, tests, docs and house rules.",
            "The command cargo xtask ci runs format, lints, tests, docs and house rules.",
        ],
        words: &["cargo xtask ci"],
    },
    Topic {
        questions: &[
            "how do I [chat|talk] with a model?",
            "how do I start a chat?",
            "how does wick chat work?",
            "what is the command to chat?",
        ],
        answers: &[
            "Run wick chat --model model.gguf to talk to a model; wick chat alone starts this demo.",
            "With wick chat --model model.gguf you talk to a model, with wick chat alone to this demo.",
        ],
        words: &["wick chat"],
    },
    Topic {
        questions: &[
            "how do I run a single prompt?",
            "what does wick run do?",
            "how do I give [it|wick] one prompt?",
        ],
        answers: &[
            "Use wick run --model model.gguf --prompt with your text.",
            "The command wick run answers one prompt: wick run --model model.gguf --prompt and your text.",
        ],
        words: &["wick run"],
    },
    Topic {
        questions: &[
            "how do I [look into|inspect] a model file?",
            "what does wick inspect [do|show]?",
            "how do I see [the architecture|the tensor types|how much memory a model needs]?",
        ],
        answers: &[
            "The command wick inspect shows the architecture, tensor types, tokenizer and memory needed.",
            "Use wick inspect model.gguf: it shows architecture, tensor types, tokenizer and memory needed.",
        ],
        words: &["wick inspect"],
    },
    Topic {
        questions: &[
            "how do I see the tokens of a text?",
            "what does wick tokenize do?",
            "how do I tokenize a text?",
            "can wick show me tokens?",
        ],
        answers: &[
            "The command wick tokenize --model model.gguf --text shows the tokens of a text.",
            "Use wick tokenize --model model.gguf --text with your text.",
        ],
        words: &["wick tokenize"],
    },
    Topic {
        questions: &[
            "how do I measure perplexity?",
            "what does wick eval do?",
            "can wick [measure|compute] perplexity?",
            "how do I evaluate a model?",
        ],
        answers: &[
            "The command wick eval perplexity --model model.gguf --file text.txt measures it.",
            "Use wick eval perplexity with a model and a text file.",
        ],
        words: &["wick eval perplexity"],
    },
    Topic {
        questions: &[
            "which commands does wick have?",
            "what commands are there?",
            "list the commands of wick.",
            "what can the program do?",
        ],
        answers: &[
            "wick has run, chat, inspect, tokenize and eval.",
            "The commands are run, chat, inspect, tokenize and eval.",
        ],
        words: &["run", "chat", "inspect", "tokenize", "eval"],
    },
    Topic {
        questions: &[
            "which crates [are there|does the project have]?",
            "what crates are in the workspace?",
            "how is the project [layered|divided]?",
            "what are the layers?",
            "list the crates.",
        ],
        answers: &[
            "From the top: wick, chat, providers, engine, generator, models, simd-sampling and simd.",
            "The layers are wick, chat, providers, engine, generator, models, simd-sampling and simd.",
        ],
        words: &["providers", "engine", "generator", "models", "simd-sampling"],
    },
    Topic {
        questions: &[
            "what is the crate chat for?",
            "what does the chat crate [do|hold]?",
            "which crate keeps a conversation?",
        ],
        answers: &[
            "The crate chat holds a role, a conversation and an answer that settles its turn.",
            "The crate chat is for multi-turn talk: a role, a conversation and an answer that settles its \
                turn.",
        ],
        words: &["conversation"],
    },
    Topic {
        questions: &[
            "what is the crate providers for?",
            "what does the providers crate do?",
            "which crate loads a model with progress?",
        ],
        answers: &[
            "The crate providers knows model families: weights, chat template and special tokens.",
            "The crate providers loads model families: weights, chat template and special tokens.",
        ],
        words: &["providers", "chat template"],
    },
    Topic {
        questions: &[
            "what is the crate engine for?",
            "what does the engine [crate |]do?",
            "which crate has the circuit breaker?",
            "where are requests validated?",
        ],
        answers: &[
            "The crate engine validates and admits requests, and holds the circuit breaker and statistics.",
            "That is engine: validation, admission, circuit breaker and statistics.",
        ],
        words: &["engine", "circuit breaker"],
    },
    Topic {
        questions: &[
            "what is the crate generator for?",
            "what does the generator [crate |]do?",
            "which crate streams tokens?",
            "who owns the model?",
        ],
        answers: &[
            "The crate generator has a worker thread that owns a model and streams tokens.",
            "That is generator: its worker thread owns the model and streams tokens.",
        ],
        words: &["generator", "worker thread"],
    },
    Topic {
        questions: &[
            "what is the crate models for?",
            "what does the models crate do?",
            "which crate has the forward passes?",
            "which crate reads model files?",
        ],
        answers: &[
            "The crate models reads model files and tokenizers and runs the forward passes.",
            "That is models: model files, tokenizers, forward passes and caches.",
        ],
        words: &["models", "forward passes"],
    },
    Topic {
        questions: &[
            "what is simd-sampling?",
            "what is the crate simd-sampling for?",
            "what does simd-sampling do?",
            "which crate [draws|picks|samples] the token?",
        ],
        answers: &[
            "The crate simd-sampling turns logits into a token, the same on every CPU.",
            "That is simd-sampling: from logits to a token, the same on every CPU.",
        ],
        words: &["simd-sampling", "same on every CPU"],
    },
    Topic {
        questions: &[
            "what is the crate simd for?",
            "what is in the simd crate?",
            "which crate is the lowest?",
            "what does the lowest crate hold?",
        ],
        answers: &[
            "The crate simd has CPU levels as proof values, 16-lane vectors and one exp.",
            "That is simd: CPU levels as proof values, 16-lane vectors and one exp.",
        ],
        words: &["simd", "16-lane"],
    },
    Topic {
        questions: &[
            "is sampling the same on every [CPU|machine|computer]?",
            "do I get the same token on [another|every] CPU?",
            "is wick reproducible?",
            "are results the same everywhere?",
        ],
        answers: &[
            "Yes: the same logits, parameters and seed give the same token on every CPU.",
            "The same logits, parameters and seed give the same token on every CPU, to the last bit.",
        ],
        words: &["same token on every CPU"],
    },
    Topic {
        questions: &[
            "which CPU levels are there?",
            "which SIMD levels does it [use|know|support]?",
            "does it use [AVX-512|AVX2|NEON|SIMD]?",
            "which vector instructions are used?",
        ],
        answers: &[
            "There are four levels: scalar, AVX2, AVX-512 and NEON.",
            "It knows scalar, AVX2, AVX-512 and NEON.",
        ],
        words: &["scalar", "AVX2", "AVX-512", "NEON"],
    },
    Topic {
        questions: &[
            "does wick need the network?",
            "does it [go online|need the internet|open a socket]?",
            "can I use wick offline?",
            "does wick work without internet?",
        ],
        answers: &[
            "No crate opens a socket: there is no network at run time.",
            "It needs no network at run time.",
        ],
        words: &["no", "network", "run time"],
    },
    Topic {
        questions: &[
            "how are [model files|weights|files] read?",
            "does wick map files [into memory|]?",
            "how does it [load|read] weights?",
            "what happens with a damaged file?",
        ],
        answers: &[
            "Files are read by memory map, and a damaged file is an error of one line.",
            "By memory map; a damaged file gives an error of one line.",
        ],
        words: &["memory map", "error of one line"],
    },
    Topic {
        questions: &[
            "how exact are the logits?",
            "do the logits match other programs?",
            "how close are the logits to a reference?",
            "are the results right?",
        ],
        answers: &[
            "Logits match an independent implementation within 1e-4 as measured.",
            "They match an independent implementation, within 1e-4 as measured.",
        ],
        words: &["independent implementation", "1e-4"],
    },
    Topic {
        questions: &[
            "what is a tiny model to try [things|the commands]?",
            "how do I make a test model?",
            "what does synth-model do?",
            "can I try it without a download?",
        ],
        answers: &[
            "The command cargo xtask synth-model writes a tiny model with random weights.",
            "Use cargo xtask synth-model: it writes a tiny model with random weights.",
        ],
        words: &["synth-model", "random weights"],
    },
    Topic {
        questions: &[
            "what is the circuit breaker for?",
            "how does a stream end?",
            "can a failure look like a finish?",
            "what happens when generation fails?",
        ],
        answers: &[
            "A failure never looks like a finish: a stream ends with one completion or one error.",
            "A stream ends with exactly one completion or error; a failure never looks like a finish.",
        ],
        words: &["failure never looks like a finish"],
    },
    Topic {
        questions: &[
            "how do I stop [a request|an answer|a stream]?",
            "what happens when I drop a stream?",
            "how do I cancel?",
            "can I cancel a request?",
        ],
        answers: &[
            "A dropped stream frees the model within one token.",
            "Dropping the stream frees the model within one token.",
        ],
        words: &["within one token"],
    },
    Topic {
        questions: &[
            "how is the key-value cache built?",
            "how does the KV cache work?",
            "how large is a block of the cache?",
            "how many positions has a cache block?",
        ],
        answers: &[
            "The KV cache is made of blocks of 64 positions, which forks share.",
            "It is made of blocks of 64 positions; a fork shares full blocks.",
        ],
        words: &["64 positions"],
    },
    Topic {
        questions: &[
            "is there unsafe code?",
            "where is unsafe code allowed?",
            "does wick use unsafe?",
            "which crates [use|have] unsafe code?",
        ],
        answers: &[
            "Unsafe code stands in simd, in kernels of simd-sampling and in the mapping of models.",
            "Only in simd, in kernels of simd-sampling and in the mapping of models.",
        ],
        words: &["simd", "simd-sampling", "mapping"],
    },
    Topic {
        questions: &[
            "where can I read [more|about the design|about the architecture]?",
            "where are the documents?",
            "which document tells how it works?",
        ],
        answers: &[
            "Read docs/architecture.md: it tells how the layers fit and which invariants hold.",
            "The file docs/architecture.md tells how the layers fit and which invariants hold.",
        ],
        words: &["docs/architecture.md"],
    },
    Topic {
        questions: &[
            "where are changes listed?",
            "where is the [changelog|list of changes]?",
            "what changed [lately|in the last version]?",
            "how do I see what is new in wick?",
        ],
        answers: &[
            "The file CHANGELOG.md lists what changed.",
            "Look into CHANGELOG.md, which lists what changed.",
        ],
        words: &["CHANGELOG.md"],
    },
    Topic {
        questions: &[
            "may a crate depend on [any other|a crate above it]?",
            "what is the rule for dependencies?",
            "which way do dependencies run?",
            "how do the crates depend on each other?",
        ],
        answers: &[
            "A crate depends only on crates below it.",
            "Each crate may depend on crates below it, never on one above.",
        ],
        words: &["crates below it"],
    },
    Topic {
        questions: &[
            "what does cargo xtask neon do?",
            "how is NEON tested?",
            "how are the sampling tests run for [ARM|aarch64]?",
        ],
        answers: &[
            "The command cargo xtask neon runs the sampling tests for aarch64 under emulation.",
            "With cargo xtask neon: the sampling tests run for aarch64 under emulation.",
        ],
        words: &["cargo xtask neon", "aarch64"],
    },
];
