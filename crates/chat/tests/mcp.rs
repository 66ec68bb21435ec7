//! Servers of tools that are real ones: over the standard streams of a process, and over HTTP.

#![cfg(feature = "mcp")]
#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    clippy::print_stdout,
    reason = "a test fails by panicking, and a server speaks by its standard streams"
)]

use std::ffi::OsString;
use std::sync::Arc;
use std::time::{Duration, Instant};

use chat::mcp::{Endpoint, McpError, Secret, Server};
use chat::{CallContext, Cancellation, ToolOutput, Toolbox};
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorData, ListToolsResult,
    PaginatedRequestParams, ServerCapabilities, ServerConfig,
};
use rmcp::service::{RequestContext, RoleServer};
use rmcp::transport::streamable_http_server::session::local::LocalSessionManager;
use rmcp::transport::{StreamableHttpServerConfig, StreamableHttpService};
use rmcp::{ServerHandler, ServiceExt as _};
use serde_json::{Value, json};

/// What a server's process is to do, in a variable of its environment.
const PLAY: &str = "MCP_SERVER_OF_A_CHILD";
const LIMIT: Duration = Duration::from_secs(30);

/// A server with tools for every way a call can go.
#[derive(Clone)]
struct Workshop {
    /// A name that no model can be told.
    odd: bool,
}

impl ServerHandler for Workshop {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
    }

    async fn list_tools(
        &self,
        _: Option<PaginatedRequestParams>,
        _: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        let sum = json!({
            "type": "object",
            "properties": {"a": {"type": "integer"}, "b": {"type": "integer"}},
            "required": ["a", "b"],
        });
        let tool = |name: &'static str, schema: &Value| {
            rmcp::model::Tool::new(name, "Of the workshop.", schema.as_object().unwrap().clone())
        };
        let nothing = json!({"type": "object"});
        let mut tools = vec![tool("add", &sum)];
        tools.extend(["fail", "hang", "die", "picture", "variables"].map(|name| tool(name, &nothing)));
        if self.odd {
            tools.push(tool("not a name", &nothing));
        }
        Ok(ListToolsResult {
            tools,
            ..Default::default()
        })
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.unwrap_or_default();
        let content = match &*request.name {
            "add" => {
                let number = |name: &str| arguments[name].as_i64().unwrap();
                vec![ContentBlock::text((number("a") + number("b")).to_string())]
            }
            "fail" => {
                let error = CallToolResult::error(vec![ContentBlock::text("no such file")]);
                return Ok(error.into());
            }
            "hang" => std::future::pending().await,
            "die" => {
                eprintln!("out of paper");
                std::process::exit(3)
            }
            "picture" => vec![
                ContentBlock::text("see:"),
                ContentBlock::image("AAAA", "image/png"),
            ],
            "variables" => {
                let names: Vec<String> = std::env::vars().map(|(name, _)| name).collect();
                vec![ContentBlock::text(names.join(" "))]
            }
            _ => return Err(ErrorData::invalid_params("no such tool", None)),
        };
        Ok(CallToolResult::success(content).into())
    }
}

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap()
}

/// No test: the server that others start as a process.
#[test]
fn server_of_a_child() {
    let Some(play) = std::env::var_os(PLAY) else {
        return;
    };
    // Ends the line that the test harness began.
    println!();
    match play.to_str().unwrap() {
        "mute" => std::thread::sleep(Duration::from_secs(600)),
        "broken" => {
            eprintln!("no licence");
            return;
        }
        _ => {}
    }
    let odd = play == "odd";
    runtime().block_on(async {
        let streams = (tokio::io::stdin(), tokio::io::stdout());
        let server = Workshop { odd }.serve(streams).await.unwrap();
        server.waiting().await.unwrap();
    });
    std::process::exit(0);
}

fn process(play: &str) -> Endpoint {
    let program: OsString = std::env::current_exe().unwrap().into();
    Endpoint::Process {
        program,
        arguments: ["server_of_a_child", "--exact", "--nocapture"]
            .map(OsString::from)
            .into(),
        environment: vec![(PLAY.into(), play.into())],
        folder: None,
    }
}

async fn call(server: &Server, name: &str, arguments: Value) -> ToolOutput {
    let name = format!("{}__{name}", server.name());
    let tool = server
        .tools()
        .find(|tool| tool.definition().name == name)
        .unwrap();
    let context = CallContext {
        id: "c".to_owned(),
        cancellation: Cancellation::new(),
    };
    let call = tool.call(arguments.as_object().unwrap().clone(), context);
    tokio::time::timeout(LIMIT, call)
        .await
        .expect("a call that hangs")
}

/// What holds of every server, however it is reached.
async fn works(server: &Server) {
    assert_eq!(call(server, "add", json!({"a": 2, "b": 3})).await.unwrap(), "5");
    assert_eq!(
        call(server, "fail", json!({})).await.unwrap_err().to_string(),
        "no such file"
    );
    let picture = call(server, "picture", json!({})).await.unwrap();
    assert_eq!(picture, "see:\n[an image of type image/png, not shown]");
    // A call that is given up leaves the others alone.
    let hanging = call(server, "hang", json!({}));
    assert!(
        tokio::time::timeout(Duration::from_millis(50), hanging)
            .await
            .is_err()
    );
    assert_eq!(call(server, "add", json!({"a": 1, "b": 1})).await.unwrap(), "2");
}

#[test]
fn tools_of_a_process_are_tools_like_any_other() {
    runtime().block_on(async {
        let server = Server::connect("shop", process("work"), LIMIT).await.unwrap();
        works(&server).await;
        let mut tools = Toolbox::new();
        server.add_to(&mut tools).unwrap();
        let first = tools.definitions().next().unwrap();
        assert_eq!(first.name, "shop__add");
        assert_eq!(first.description.as_deref(), Some("Of the workshop."));
        assert_eq!(first.parameters["required"], json!(["a", "b"]));
        // The same server twice would be the same names twice, and nothing is taken then.
        let error = server.add_to(&mut tools).unwrap_err();
        assert!(matches!(error, McpError::Tool { .. }), "{error}");
        assert_eq!(tools.definitions().count(), 6);
    });
}

#[test]
fn a_process_sees_no_variable_that_it_is_not_given() {
    runtime().block_on(async {
        let server = Server::connect("shop", process("work"), LIMIT).await.unwrap();
        let seen = call(&server, "variables", json!({})).await.unwrap();
        let seen: Vec<&str> = seen.split(' ').collect();
        assert!(seen.contains(&PLAY) && seen.contains(&"PATH"), "{seen:?}");
        assert!(!seen.iter().any(|name| name.starts_with("CARGO")), "{seen:?}");
    });
}

#[test]
fn a_server_that_dies_is_an_error_of_its_calls() {
    runtime().block_on(async {
        let server = Server::connect("shop", process("work"), LIMIT).await.unwrap();
        for name in ["die", "add"] {
            let begun = Instant::now();
            let error = call(&server, name, json!({"a": 1, "b": 1}))
                .await
                .unwrap_err()
                .to_string();
            assert!(error.contains("the server of the tool failed"), "{error}");
            assert!(begun.elapsed() < Duration::from_secs(10));
        }
        let error = call(&server, "add", json!({"a": 1, "b": 1})).await.unwrap_err();
        // What it said is for the user to read, not for the model.
        assert!(!error.to_string().contains("out of paper"), "{error}");
        assert_eq!(server.said(), "out of paper");
    });
}

#[test]
fn a_server_that_does_not_answer_is_an_error_within_its_time() {
    runtime().block_on(async {
        let limit = Duration::from_millis(500);
        let error = Server::connect("shop", process("mute"), limit).await.unwrap_err();
        assert!(matches!(error, McpError::Timeout { .. }), "{error:?}");
        // What was tried is named.
        let program = format!("{:?}", std::env::current_exe().unwrap());
        assert!(error.to_string().contains(&program), "{error}");
        let error = Server::connect("shop", process("broken"), LIMIT)
            .await
            .unwrap_err();
        assert!(matches!(error, McpError::Handshake { .. }), "{error:?}");
        assert!(error.to_string().contains("no licence"), "{error}");
        assert!(error.to_string().contains(&program), "{error}");
        let missing = Endpoint::process("/nowhere/at/all", ["x"]);
        let error = Server::connect("shop", missing, LIMIT).await.unwrap_err();
        let error = error.to_string();
        assert!(error.contains("\"/nowhere/at/all\" with 1 argument"), "{error}");
        assert!(error.contains("No such file") || !cfg!(unix), "{error}");
        let error = Server::connect("two words", process("work"), LIMIT)
            .await
            .unwrap_err();
        assert!(matches!(error, McpError::Name { .. }));
        let server = Server::connect("shop", process("odd"), LIMIT).await.unwrap();
        let error = server.add_to(&mut Toolbox::new()).unwrap_err();
        let cause = std::error::Error::source(&error).unwrap().to_string();
        assert!(
            cause.contains("\"shop__not a name\" cannot name a tool"),
            "{cause}"
        );
    });
    let error = futures::FutureExt::now_or_never(Server::connect("shop", process("work"), LIMIT));
    assert!(matches!(error, Some(Err(McpError::NoRuntime))), "{error:?}");
}

/// Serves the workshop at a free port, until the runtime ends; where it is.
async fn listen() -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    let service = StreamableHttpService::new(
        || Ok(Workshop { odd: false }),
        Arc::new(LocalSessionManager::default()),
        StreamableHttpServerConfig::default(),
    );
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let service = TowerToHyperService::new(service.clone());
            tokio::spawn(async move {
                let builder = hyper::server::conn::http1::Builder::new();
                let _ = builder.serve_connection(TokioIo::new(stream), service).await;
            });
        }
    });
    url
}

#[test]
fn tools_of_a_server_over_http_are_tools_like_any_other() {
    let serving = runtime();
    let url = serving.block_on(listen());
    let runtime = runtime();
    let server = runtime.block_on(async {
        let endpoint = Endpoint::Http {
            url,
            token: Some(Secret::new("open sesame")),
        };
        assert!(!format!("{endpoint:?}").contains("sesame"));
        let server = Server::connect("web", endpoint, LIMIT).await.unwrap();
        works(&server).await;
        server
    });
    // The server goes away.
    drop(serving);
    let begun = Instant::now();
    let error = runtime
        .block_on(call(&server, "add", json!({"a": 1, "b": 1})))
        .unwrap_err();
    assert!(
        error.to_string().contains("the server of the tool failed"),
        "{error}"
    );
    assert!(begun.elapsed() < Duration::from_secs(20), "{:?}", begun.elapsed());
}

#[test]
fn an_address_that_is_none_or_that_nobody_listens_at_is_an_error() {
    runtime().block_on(async {
        for (url, said) in [
            ("not an address", "is no address"),
            ("ftp://localhost/", "neither http:// nor https://"),
        ] {
            let error = Server::connect("web", Endpoint::http(url), LIMIT)
                .await
                .unwrap_err();
            assert!(error.to_string().contains(said), "{error}");
        }
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        drop(listener);
        let url = format!("http://me:sesame@{at}/mcp");
        let error = Server::connect("web", Endpoint::http(url), LIMIT)
            .await
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("with a user") && !error.contains("sesame"),
            "{error}"
        );
        let url = format!("http://{at}/mcp?key=sesame");
        let error = Server::connect("web", Endpoint::http(url), LIMIT)
            .await
            .unwrap_err();
        assert!(matches!(error, McpError::Handshake { .. }), "{error:?}");
        // What was tried and why it failed, and no secret.
        let error = error.to_string();
        assert!(error.contains(&format!("http://{at}/mcp")), "{error}");
        assert!(error.to_lowercase().contains("refused") || !cfg!(unix), "{error}");
        assert!(!error.contains("sesame"), "{error}");
    });
}
