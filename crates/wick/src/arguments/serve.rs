//! `wick serve`: where it listens, whom it lets in, how much it takes on.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroUsize;
use std::path::PathBuf;

use clap::Args;

use super::{ModelArguments, ThreadArguments};
use crate::settings::Settings;

/// `wick serve`.
#[derive(Debug, Args)]
pub(crate) struct ServeArguments {
    #[command(flatten)]
    pub(crate) model: ModelArguments,
    /// Address to listen at, or `localhost`; one of this machine alone, unless another is named
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1", value_parser = host)]
    host: IpAddr,
    /// Port to listen at; 0 takes any that is free
    #[arg(long, value_name = "PORT", default_value = "8080")]
    port: u16,
    /// A file with the keys that are let in, one a line, which only its owner may read [default: everybody is]
    #[arg(long = "api-key-file", value_name = "FILE")]
    pub(crate) keys: Option<PathBuf>,
    /// Requests that are answered at once [default: 8, or 64 of a server]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_concurrency: Option<NonZeroUsize>,
    /// Requests that may wait for their turn; further ones are refused [default: 64, or 256 of a server]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) max_queue: Option<usize>,
    /// Most tokens that prompt and answer may have together [default: what the model can]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    pub(crate) ctx: Option<NonZeroUsize>,
    /// An origin whose pages may read answers, such as `https://example.org`; several times for several [default: none]
    #[arg(long = "cors-origin", value_name = "ORIGIN")]
    pub(crate) cors_origins: Vec<String>,
    /// Folder that conversations are kept in, a file for each key [default: wick/conversations in the folder of data]
    #[arg(long, value_name = "FOLDER", conflicts_with = "no_conversations")]
    pub(crate) conversations: Option<PathBuf>,
    /// Keep no conversations
    #[arg(long)]
    pub(crate) no_conversations: bool,
    /// Print a line for each request: its route, its status, how long it took; never a prompt
    #[arg(long)]
    pub(crate) log_requests: bool,
    #[command(flatten)]
    pub(crate) threads: ThreadArguments,
}

/// An address, or a name that this machine alone has, which stands for its first address.
fn host(text: &str) -> Result<IpAddr, String> {
    let name = text.to_ascii_lowercase();
    if name == "localhost" || name.ends_with(".localhost") {
        return Ok(Ipv4Addr::LOCALHOST.into());
    }
    text.parse()
        .map_err(|_| format!("{text:?} is neither an address, such as 127.0.0.1 or ::1, nor localhost"))
}

impl ServeArguments {
    /// Takes what is not said from `settings`.
    ///
    /// # Errors
    ///
    /// A variable that cannot be read, and flags that are of no use with a server.
    pub(crate) fn settle(&mut self, settings: &mut Settings) -> anyhow::Result<()> {
        self.model.settle(settings)?;
        self.threads.settle(&self.model, settings)
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        SocketAddr::new(self.host, self.port)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_this_machine_are_addresses() {
        for name in ["localhost", "LOCALHOST", "wick.localhost", "127.0.0.1"] {
            assert_eq!(host(name), Ok(IpAddr::V4(Ipv4Addr::LOCALHOST)), "{name}");
        }
        assert_eq!(host("::1").map(|address| address.is_loopback()), Ok(true));
        for name in ["example.org", "notlocalhost", "", "localhost:80"] {
            let refused = host(name).unwrap_err();
            assert!(refused.contains(&format!("{name:?}")), "{refused}");
        }
    }
}
