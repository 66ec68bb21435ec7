//! The configuration: what counts more, where each value comes from, and what is wrong with it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::engine_server::Server;
use crate::files::Files;
use crate::process::{Ended, argument, program, run};

/// A configuration file of this text.
fn file(files: &Files, text: &str) -> PathBuf {
    files.bytes("config.toml", text.as_bytes())
}

/// Runs the program with this configuration file.
fn with(config: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Ended {
    let mut command = program();
    command.args(["--config", argument(config)]).args(arguments);
    run(command.envs(variables.iter().copied()))
}

/// What `config show --json` says.
#[track_caller]
fn shown(config: &Path, arguments: &[&str], variables: &[(&str, &str)]) -> Value {
    let ended = with(
        config,
        &[&["config", "show", "--json"], arguments].concat(),
        variables,
    );
    serde_json::from_str(&ended.text()).expect("one object")
}

#[test]
fn a_flag_wins_over_the_environment_over_a_profile_over_the_file_over_the_default() {
    let files = Files::new();
    let config = file(&files, "# mine\nmax_tokens = 1\n[profiles.p]\nmax_tokens = 2\n");
    let variable = [("WICK_MAX_TOKENS", "3")];
    let of = |arguments: &[&str], variables: &[(&str, &str)]| {
        shown(&config, arguments, variables)["settings"]["max_tokens"].clone()
    };
    let path = argument(&config);
    assert_eq!(
        of(&["--profile", "p", "--max-tokens", "4"], &variable),
        json!({"from": "flag", "value": 4})
    );
    assert_eq!(
        of(&["--profile", "p"], &variable),
        json!({"from": "variable", "variable": "WICK_MAX_TOKENS", "value": 3})
    );
    assert_eq!(
        of(&["--profile", "p"], &[("WICK_MAX_TOKENS", "")]),
        json!({"from": "profile", "profile": "p", "file": path, "line": 4, "value": 2})
    );
    assert_eq!(
        of(&[], &[]),
        json!({"from": "file", "file": path, "line": 2, "value": 1})
    );
    let empty = files.bytes("empty.toml", b"");
    let default = shown(&empty, &[], &[])["settings"]["max_tokens"].clone();
    assert_eq!(
        (&default["from"], &default["value"]),
        (&json!("default"), &Value::Null)
    );
    assert!(
        default["default"]
            .as_str()
            .is_some_and(|text| text.contains("1000"))
    );
}

#[test]
fn a_profile_is_chosen_by_flag_by_environment_or_by_the_file() {
    let files = Files::new();
    let config = file(
        &files,
        "profile = \"a\"\n[profiles.a]\nseed = 1\n[profiles.b]\nseed = 2\n[profiles.c]\nseed = 3\n",
    );
    let seed = |arguments: &[&str], variables: &[(&str, &str)]| {
        shown(&config, arguments, variables)["settings"]["seed"]["value"].clone()
    };
    assert_eq!(seed(&[], &[]), 1);
    assert_eq!(seed(&[], &[("WICK_PROFILE", "b")]), 2);
    assert_eq!(seed(&["--profile", "c"], &[("WICK_PROFILE", "b")]), 3);
    let ended = with(&config, &["config", "show", "--profile", "d"], &[]);
    assert!(
        ended.complaint().contains("there is no profile \"d\""),
        "{ended:?}"
    );
    assert!(ended.complaint().ends_with("there are a, b, c"), "{ended:?}");
    let ended = run(program().args(["config", "show", "--profile", "d"]));
    assert!(
        ended.complaint().contains("there is no configuration file"),
        "{ended:?}"
    );
}

#[test]
fn what_is_wrong_with_a_configuration_is_told_with_file_line_and_key() {
    let files = Files::new();
    for (text, said) in [
        (
            "\nmodle = \"x\"",
            "config.toml:2: modle is no setting; model is one",
        ),
        (
            "temperature = \"warm\"",
            "config.toml:1: temperature is \"warm\", expected a finite number",
        ),
        (
            "threads = 0",
            "config.toml:1: threads is 0, expected a whole number from 1",
        ),
        (
            "top_p = 1.5",
            "config.toml:1: top_p is 1.5, expected a number from 0 to 1",
        ),
        (
            "presence_penalty = -3",
            "config.toml:1: presence_penalty is -3, expected a number from -2 to 2",
        ),
        (
            "logit_bias = { fox = 1 }",
            "config.toml:1: logit_bias is a table, expected a table of numbers from -100 to 100",
        ),
        ("a = 1\nb = = 2", "config.toml:2: "),
        (
            "[profiles.p]\n\ncache = \"f8\"",
            "config.toml:3: cache is \"f8\", expected f32 or f16",
        ),
        ("[profile.p]", "a table [profiles.NAME]"),
    ] {
        let config = file(&files, text);
        for arguments in [
            &["run", "--prompt", "x", "--model", "missing.gguf"][..],
            &["chat", "--model", "missing.gguf"],
            &["inspect", "demo"],
            &["list"],
            &["memory", "list"],
            &["config", "show"],
        ] {
            let ended = with(&config, arguments, &[]);
            assert!(ended.complaint().contains(said), "{said}: {ended:?}");
            assert_eq!(ended.status.code(), Some(2));
        }
    }
    let ended = with(&files.path("absent.toml"), &["config", "show"], &[]);
    assert!(ended.complaint().contains("absent.toml"), "{ended:?}");
}

#[test]
fn a_variable_out_of_its_range_is_named() {
    let files = Files::new();
    let config = file(&files, "");
    for (name, value) in [
        ("WICK_THREADS", "0"),
        ("WICK_TEMPERATURE", "hot"),
        ("WICK_OFFLINE", "perhaps"),
        ("WICK_COMPUTE", "slow"),
        ("WICK_PROVIDER", "parrot"),
        ("WICK_STOP", "[1]"),
    ] {
        let ended = with(
            &config,
            &["run", "--prompt", "x", "--model", "missing.gguf"],
            &[(name, value)],
        );
        let said = format!("{name} is {value:?}, expected ");
        assert!(ended.complaint().contains(&said), "{ended:?}");
        assert_eq!(ended.status.code(), Some(2));
    }
    let ended = with(&config, &["config", "show"], &[("WICK_TEMPRATURE", "1")]);
    assert_eq!(
        ended.stderr,
        "wick: WICK_TEMPRATURE is set, and is no variable of wick\n"
    );
}

#[cfg(target_os = "linux")]
#[test]
fn a_variable_that_is_no_text_is_refused() {
    use std::os::unix::ffi::OsStrExt as _;
    let broken = std::ffi::OsStr::from_bytes(b"m\xff.gguf");
    for name in ["WICK_MODEL", "WICK_PROFILE"] {
        let ended = run(program().args(["run", "--prompt", "x"]).env(name, broken));
        assert!(ended.complaint().contains(name), "{ended:?}");
        assert_eq!(ended.status.code(), Some(2));
    }
}

#[test]
fn every_setting_is_shown_and_documented() {
    let files = Files::new();
    let shown = shown(&file(&files, ""), &[], &[]);
    let settings = shown["settings"].as_object().expect("an object");
    let page = include_str!("../../../../docs/configuration.md");
    let rows: Vec<&str> = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next())
        .collect();
    let keys: Vec<&str> = settings.keys().map(String::as_str).collect();
    assert_eq!(rows, keys);
    let manual = run(program().arg("man")).text();
    for key in keys {
        let variable = format!("WICK_{}", key.to_uppercase());
        assert!(manual.contains(&variable), "{variable}");
    }
    let page = run(program().args(["config", "show"])).text();
    assert_eq!(page.lines().count(), settings.len() + 3, "{page}");
}

#[test]
fn the_example_of_the_documentation_is_right() {
    let files = Files::new();
    let page = include_str!("../../../../docs/configuration.md");
    let example = page
        .split("```toml\n")
        .nth(1)
        .and_then(|rest| rest.split("```").next());
    let config = file(&files, example.expect("there is an example"));
    let brief = shown(&config, &[], &[]);
    assert_eq!(brief["settings"]["max_tokens"]["value"], 100);
    let key = files.bytes("key", b"sk-hidden");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        std::fs::set_permissions(&key, std::fs::Permissions::from_mode(0o600)).expect("a mode");
    }
    let cluster = shown(&config, &["--profile", "cluster"], &[]);
    assert_eq!(cluster["settings"]["remote"]["value"][1], "http://node2:8000");
    assert_eq!(cluster["settings"]["remote_key_file"]["value"], argument(&key));
}

#[test]
fn the_file_is_looked_for_in_the_usual_place() {
    let files = Files::new();
    let home = files.path("home");
    let usual = home.join("wick/config.toml");
    let path = |command: &mut std::process::Command| run(command.args(["config", "path"])).text();
    assert_eq!(
        path(program().env("XDG_CONFIG_HOME", &home)),
        format!("{}\n", usual.display())
    );
    let below = home.join(".config/wick/config.toml");
    for relative in ["", "relative"] {
        let found = path(program().env("XDG_CONFIG_HOME", relative).env("HOME", &home));
        assert_eq!(found, format!("{}\n", below.display()));
    }
    let named = path(
        program()
            .env("XDG_CONFIG_HOME", &home)
            .env("WICK_CONFIG", "else.toml"),
    );
    assert_eq!(named, "else.toml\n");
    std::fs::create_dir_all(home.join("wick")).expect("the folder can be made");
    std::fs::write(&usual, "seed = 7").expect("the file can be written");
    let shown = run(program()
        .args(["config", "show", "--json"])
        .env("XDG_CONFIG_HOME", &home));
    let shown: Value = serde_json::from_str(&shown.text()).expect("one object");
    assert_eq!(shown["settings"]["seed"]["value"], 7);
}

#[test]
fn run_and_chat_do_as_the_configuration_says() {
    let files = Files::new();
    let model = files.chatty();
    let config = file(
        &files,
        "model = \"./chatty.gguf\"\ntemperature = 0\nmax_tokens = 5\nsystem = \"Sing.\"\n",
    );
    let answered = |arguments: &[&str]| {
        let record = with(
            &config,
            &[&["run", "--prompt", "Hello", "--json"], arguments].concat(),
            &[],
        )
        .text();
        serde_json::from_str::<Value>(&record).expect("one object")
    };
    let by_file = answered(&[]);
    let by_flag = run(program().args([
        "run",
        "--prompt",
        "Hello",
        "--json",
        "--model",
        argument(&model),
        "--temperature",
        "0",
        "--max-tokens",
        "5",
        "--system",
        "Sing.",
    ]));
    let by_flag: Value = serde_json::from_str(&by_flag.text()).expect("one object");
    assert_eq!(by_file["token_ids"], by_flag["token_ids"]);
    assert_eq!(by_file["usage"], by_flag["usage"]);
    assert_ne!(answered(&["--system", "Be still."])["usage"], by_file["usage"]);
    let mut chat = program();
    chat.args(["--config", argument(&config), "chat"]);
    let ended = crate::process::with_input(&mut chat, b"Hello\n/stats\n");
    assert!(ended.stderr.contains("last answer: 5 tokens"), "{ended:?}");
}

#[test]
fn offline_counts_wherever_it_is_said() {
    let files = Files::new();
    let said = file(&files, "offline = true");
    let unsaid = files.bytes("empty.toml", b"");
    let unreachable = [("HF_ENDPOINT", "http://127.0.0.1:9"), ("HF_HOME", "nowhere")];
    for arguments in [
        &["run", "--prompt", "x", "--model", "a/m:Q8_0"][..],
        &["chat", "--model", "a/m:Q8_0"],
        &["inspect", "a/m:Q8_0"],
        &["tokenize", "--model", "a/m:Q8_0", "--text", "x"],
        &["bench", "--model", "a/m:Q8_0"],
        &[
            "eval", "logits", "--model", "a/m:Q8_0", "--ids", "1", "--out", "x",
        ],
        &["pull", "a/m:Q8_0"],
    ] {
        let variables = [unreachable[0], unreachable[1], ("WICK_OFFLINE", "1")];
        for ended in [
            with(&said, arguments, &unreachable),
            with(&unsaid, arguments, &variables),
            with(&unsaid, &[arguments, &["--offline"]].concat(), &unreachable),
        ] {
            assert!(ended.complaint().contains("is not in the cache"), "{ended:?}");
        }
    }
    let ended = with(
        &said,
        &["run", "--prompt", "x", "--remote", "http://127.0.0.1:9"],
        &[],
    );
    assert!(ended.complaint().contains("--offline"), "{ended:?}");
    assert_eq!(ended.status.code(), Some(2));
    let asked = [
        "run",
        "--prompt",
        "x",
        "--remote",
        "http://127.0.0.1:9",
        "--offline=false",
    ];
    let ended = with(&said, &asked, &[]);
    assert!(ended.complaint().contains("127.0.0.1:9"), "{ended:?}");
}

fn polite() -> Server {
    Server::start(|_, _, wire| {
        wire.begin();
        wire.text("Good day.");
        wire.finish("stop");
    })
}

#[test]
fn a_server_hides_a_model_of_a_place_that_counts_less() {
    let files = Files::new();
    let server = polite();
    let config = file(
        &files,
        "model = \"./chatty.gguf\"\ncache = \"f16\"\nthreads = 1\n",
    );
    let ended = with(
        &config,
        &["run", "--prompt", "Hi", "--remote", &server.address],
        &[],
    );
    assert_eq!(ended.text(), "Good day.");
    assert_eq!(server.asked()[0].body["model"], "synthetic");
    let config = file(
        &files,
        &format!("remote = {:?}\nmodel = \"other\"\n", server.address),
    );
    for flag in ["--cache=f16", "--threads=1", "--provider=llama", "--compute=fast"] {
        let ended = with(&config, &["run", "--prompt", "Hi", flag], &[]);
        assert!(
            ended.complaint().contains("cannot be used with a server"),
            "{ended:?}"
        );
        assert_eq!(ended.status.code(), Some(2));
    }
    let model = files.chatty();
    let local = [
        "run",
        "--prompt",
        "Hi",
        "--remote=",
        "--max-tokens",
        "2",
        "--model",
        argument(&model),
    ];
    with(&config, &local, &[]).text();
}

#[cfg(unix)]
#[test]
fn a_key_is_read_only_from_a_file_of_its_owner_alone_and_never_shown() {
    use std::os::unix::fs::PermissionsExt as _;
    let files = Files::new();
    let server = polite();
    let key = files.bytes("key", b"sk-hidden\n");
    let config = file(&files, "remote_key_file = \"key\"\n");
    let asking = ["run", "--prompt", "Hi", "--remote", &server.address];
    let mode = |mode| {
        let permissions = std::fs::Permissions::from_mode(mode);
        std::fs::set_permissions(&key, permissions).expect("the permissions can be set");
    };
    for open in [0o640, 0o604, 0o620] {
        mode(open);
        let ended = with(&config, &asking, &[]);
        assert!(ended.complaint().contains("chmod 600"), "{ended:?}");
        let showing = ["config", "show", "--remote", &server.address];
        let shown = with(&config, &showing, &[]);
        assert!(shown.stderr.contains("chmod 600"), "{shown:?}");
        assert_eq!(shown.status.code(), ended.status.code());
    }
    let address = "https://user:hush@example.org/v1";
    for json in [&[][..], &["--json"]] {
        let showing = [
            &["config", "show", "--remote", address, "--remote-key-file", "x"][..],
            json,
        ]
        .concat();
        let shown = with(&config, &showing, &[]);
        assert!(!format!("{shown:?}").contains("hush"), "{shown:?}");
        let shown = with(
            &config,
            &[&["config", "show"][..], json].concat(),
            &[("WICK_REMOTE", address)],
        );
        assert!(!format!("{shown:?}").contains("hush"), "{shown:?}");
    }
    assert!(server.asked().is_empty());
    mode(0o600);
    assert_eq!(with(&config, &asking, &[]).text(), "Good day.");
    let variable = [("WICK_API_KEY", "sk-said")];
    assert_eq!(with(&config, &asking, &variable).text(), "Good day.");
    let named = [&asking[..], &["--remote-key-file", argument(&key)]].concat();
    assert_eq!(with(&config, &named, &variable).text(), "Good day.");
    let keys: Vec<_> = server
        .asked()
        .iter()
        .map(|asked| asked.authorization.clone())
        .collect();
    let bearer = |key: &str| Some(format!("Bearer {key}"));
    assert_eq!(
        keys,
        [bearer("sk-hidden"), bearer("sk-said"), bearer("sk-hidden")]
    );

    let shown = with(&config, &["config", "show", "--json"], &variable).text();
    assert!(!shown.contains("sk-"), "{shown}");
    let shown: Value = serde_json::from_str(&shown).expect("one object");
    assert_eq!(
        shown["api_key"],
        json!({"set": true, "from": "variable", "variable": "WICK_API_KEY"})
    );
    let page = with(&config, &["config", "show"], &[]).text();
    assert!(page.contains("not shown") && !page.contains("sk-"), "{page}");
    for (bytes, said) in [(&b" \n"[..], "holds nothing"), (b"a\nb", "holds several lines")] {
        std::fs::write(&key, bytes).expect("the key can be written");
        let ended = with(&config, &asking, &[]);
        assert!(ended.complaint().contains(said), "{ended:?}");
    }
    let secret = file(&files, "\napi_key = \"sk-open\"");
    let ended = with(&secret, &asking, &[]);
    assert!(
        ended.complaint().contains("config.toml:2: api_key is a secret"),
        "{ended:?}"
    );
    assert!(!ended.stderr.contains("sk-open"));
}

#[test]
fn what_reads_no_configuration_refuses_to_be_given_one() {
    for arguments in [
        &["man", "--config", "x"][..],
        &["completions", "bash", "--profile", "x"],
        &["config", "path", "--profile", "x"],
        &["run", "--prompt", "x", "--remote-key-file", "x"],
    ] {
        let ended = run(program().args(arguments));
        assert_eq!(ended.status.code(), Some(2), "{ended:?}");
        assert!(!ended.complaint().is_empty());
    }
}
