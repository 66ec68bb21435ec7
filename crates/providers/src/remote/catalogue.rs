//! What a server says that it serves.
//!
//! `/v1/models` in the forms of vLLM and SGLang (`max_model_len`), of llama.cpp (`meta.n_ctx`, `meta.n_ctx_train`) and of
//! those that say `context_length`. A server without such a list tells nothing, which is no error.

use serde::Deserialize;

use super::config::{FALLBACK_CONTEXT, RemoteConfig};
use super::dialect::Dialect;
use super::endpoint::Endpoint;
use super::error::RemoteError;
use super::http::Http;

/// Models that an error names.
const NAMED: usize = 20;

/// A model as the provider takes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Served {
    pub(crate) name: String,
    pub(crate) context: usize,
    pub(crate) dialect: Dialect,
}

#[derive(Debug, Default, Deserialize)]
struct List {
    #[serde(default)]
    data: Vec<Card>,
}

#[derive(Debug, Deserialize)]
struct Card {
    id: String,
    owned_by: Option<String>,
    max_model_len: Option<usize>,
    context_length: Option<usize>,
    meta: Option<Meta>,
}

#[derive(Debug, Deserialize)]
struct Meta {
    n_ctx: Option<usize>,
    n_ctx_train: Option<usize>,
}

impl Card {
    fn context(&self) -> Option<usize> {
        let meta = self.meta.as_ref();
        self.max_model_len
            .or(self.context_length)
            .or(meta.and_then(|meta| meta.n_ctx.or(meta.n_ctx_train)))
            .filter(|context| *context > 0)
    }
}

/// Asks `endpoint` what it serves.
pub(crate) async fn ask(
    http: &Http,
    endpoint: &Endpoint,
    config: &RemoteConfig,
) -> Result<Served, RemoteError> {
    let list = match http.json(endpoint, "/v1/models", None).await {
        Ok(value) => {
            serde_json::from_value(value).map_err(|error| http.unreadable(&endpoint.base, &error))?
        }
        Err(error) if matches!(error.status(), Some(404 | 405 | 501)) => List::default(),
        Err(error) => return Err(error),
    };
    choose(list, endpoint, config).map_err(|error| match error {
        RemoteError::NoModel { endpoint, models } => RemoteError::NoModel {
            endpoint,
            models: models.iter().take(NAMED).map(|name| http.clear(name)).collect(),
        },
        error => error,
    })
}

fn choose(list: List, endpoint: &Endpoint, config: &RemoteConfig) -> Result<Served, RemoteError> {
    let mut models = list.data;
    let card = match &config.model {
        // A server of one model may call it otherwise and take any name.
        Some(name) => match models.iter().position(|card| card.id == *name) {
            Some(place) => Some(models.swap_remove(place)),
            None if models.len() == 1 => models.pop(),
            None => None,
        },
        None if models.len() == 1 => models.pop(),
        None => {
            return Err(RemoteError::NoModel {
                endpoint: endpoint.base.clone(),
                models: models.into_iter().map(|card| card.id).collect(),
            });
        }
    };
    let told = card.as_ref().and_then(Card::context);
    let context = match (told, config.context_length) {
        (Some(told), Some(given)) => told.min(given),
        (told, given) => told.or(given).unwrap_or(FALLBACK_CONTEXT),
    };
    let owner = card.as_ref().and_then(|card| card.owned_by.as_deref());
    let dialect = config.dialect.unwrap_or_else(|| Dialect::of_owner(owner));
    let name = config
        .model
        .clone()
        .or(card.map(|card| card.id))
        .unwrap_or_default();
    Ok(Served {
        name,
        context,
        dialect,
    })
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use engine::{BreakerConfig, SystemClock};
    use serde_json::{Value, json};

    fn chosen(data: Value, model: Option<&str>, context: Option<usize>) -> Result<Served, String> {
        let endpoint = Endpoint::new(
            "http://a".to_owned(),
            BreakerConfig::default(),
            Arc::new(SystemClock),
        );
        let config = RemoteConfig {
            model: model.map(str::to_owned),
            context_length: context,
            ..RemoteConfig::new("http://a")
        };
        let list = serde_json::from_value(json!({"object": "list", "data": data})).unwrap();
        choose(list, &endpoint, &config).map_err(|error| error.to_string())
    }

    fn served(name: &str, context: usize, dialect: Dialect) -> Result<Served, String> {
        let name = name.to_owned();
        Ok(Served {
            name,
            context,
            dialect,
        })
    }

    #[test]
    fn a_server_of_one_model_tells_all_about_it() {
        let vllm = json!([{"id": "q", "owned_by": "vllm", "max_model_len": 131_072}]);
        assert_eq!(
            chosen(vllm.clone(), None, None),
            served("q", 131_072, Dialect::Vllm)
        );
        assert_eq!(
            chosen(vllm, Some("q"), Some(8_192)),
            served("q", 8_192, Dialect::Vllm)
        );
        let llama = json!([{"id": "/q.gguf", "owned_by": "llamacpp", "meta": {"n_ctx_train": 40_960}}]);
        assert_eq!(
            chosen(llama, Some("q"), None),
            served("q", 40_960, Dialect::LlamaCpp)
        );
    }

    #[test]
    fn who_serves_several_has_to_be_told_which() {
        let two = json!([{"id": "a", "max_model_len": 10}, {"id": "b", "owned_by": "sglang"}]);
        assert_eq!(
            chosen(two.clone(), None, None),
            Err("http://a serves none or several models, name one: a, b".to_owned())
        );
        assert_eq!(
            chosen(two.clone(), Some("b"), None),
            served("b", FALLBACK_CONTEXT, Dialect::Sglang)
        );
        assert_eq!(chosen(two, Some("c"), Some(7)), served("c", 7, Dialect::Vllm));
    }

    #[test]
    fn who_tells_nothing_is_taken_by_what_is_configured() {
        assert_eq!(
            chosen(json!([]), Some("m"), None),
            served("m", FALLBACK_CONTEXT, Dialect::Vllm)
        );
        assert!(chosen(json!([]), None, None).is_err());
    }
}
