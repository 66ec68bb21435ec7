//! `wick pull`, `list` and `rm`: models of a hub, and the cache that they lie in.

use std::path::PathBuf;
use std::process::ExitCode;

use providers::ProgressHub;
use providers::hub::{Cancel, Hub, HubModel, HubSettings, Needs};

use crate::arguments::{ListArguments, PullArguments, RemoveArguments};
use crate::inspect::bytes;
use crate::interrupt::{self, Outcome};
use crate::{age, confirmation, failure, loading, output};

/// The hub that the environment names; with `offline`, it is not asked.
///
/// # Errors
///
/// An address that is none.
fn hub(offline: bool) -> anyhow::Result<Hub> {
    let mut settings = HubSettings::from_environment();
    settings.offline |= offline;
    Ok(Hub::new(settings)?)
}

/// The path of `model`, which is downloaded as far as it is not cached; what that takes is told first.
///
/// # Errors
///
/// Those of the hub.
pub(crate) fn path(model: &HubModel, offline: bool, progress: &ProgressHub) -> anyhow::Result<PathBuf> {
    let hub = hub(offline)?;
    let plan = hub.plan(model, progress)?;
    for line in notes(model, plan.needs()) {
        failure::complain(&format!("wick: {}\n", failure::one_line(&line)));
    }
    Ok(hub.fetch(&plan, progress, &Cancel::new())?)
}

/// What there is to know before a download, a line each.
fn notes(model: &HubModel, needs: &Needs) -> Vec<String> {
    let mut lines = Vec::new();
    if needs.download_bytes > 0 {
        let free = needs
            .disk_free
            .map_or(String::new(), |free| format!(", {} are free", bytes(free)));
        lines.push(format!(
            "{model}: downloading {}{free}",
            bytes(needs.download_bytes)
        ));
    }
    if let Some(free) = needs.memory_free.filter(|_| needs.exceeds_memory()) {
        lines.push(format!(
            "{model}: it takes {} of memory and {} are free, so it will be very slow; take a smaller quantization, or let a \
             cluster serve it and name that with --remote",
            bytes(needs.bytes),
            bytes(free)
        ));
    }
    lines
}

/// Downloads the model of `arguments` and says where it lies.
///
/// # Errors
///
/// Those of the hub.
pub(crate) fn pull(arguments: &PullArguments) -> anyhow::Result<ExitCode> {
    let runtime = interrupt::runtime()?;
    let code = runtime.block_on(async {
        let progress = ProgressHub::new();
        let bars = loading::bars(&progress)?;
        let (model, offline) = (arguments.model.clone(), arguments.offline.said());
        let pulling = tokio::task::spawn_blocking(move || path(&model, offline, &progress));
        let outcome = interrupt::or_interrupt(pulling).await?;
        drop(bars);
        match outcome {
            // What is on disk is gone on with the next time.
            Outcome::Interrupted => Ok(failure::INTERRUPTED),
            Outcome::Done(pulled) => {
                output::write(&format!("{}\n", pulled??.display()))?;
                Ok(0)
            }
        }
    });
    runtime.shutdown_background();
    code.map(ExitCode::from)
}

/// The names of the models that are cached.
///
/// # Errors
///
/// A cache that cannot be read.
pub(crate) fn cached() -> anyhow::Result<Vec<String>> {
    let cached = hub(true)?.cached()?;
    Ok(cached
        .into_iter()
        .map(|cached| cached.model.to_string())
        .collect())
}

/// Lists the models that are cached.
///
/// # Errors
///
/// A cache that cannot be read.
pub(crate) fn list(arguments: &ListArguments) -> anyhow::Result<ExitCode> {
    let mut text = String::new();
    for cached in hub(true)?.cached()? {
        let name = cached.model.to_string();
        if arguments.json {
            let files: Vec<_> = cached
                .files
                .iter()
                .map(|(path, bytes)| serde_json::json!({"path": path, "bytes": bytes}))
                .collect();
            let line = serde_json::json!({
                "model": name, "bytes": cached.bytes, "modified": cached.modified.map(age::seconds), "files": files,
            });
            text += &format!("{line}\n");
            continue;
        }
        let age = cached.modified.map(age::ago).unwrap_or_default();
        text += &row(&name, cached.bytes, &age);
        for (path, size) in &cached.files {
            text += &row(&format!("  {}", failure::one_line(path)), *size, "");
        }
    }
    match arguments.json {
        true => output::record(&text)?,
        false => output::write(&text)?,
    }
    Ok(ExitCode::SUCCESS)
}

fn row(name: &str, size: u64, age: &str) -> String {
    let row = format!("{name:<60} {:>10}  {age}", bytes(size));
    format!("{}\n", row.trim_end())
}

/// Removes models from the cache, after a person has said yes.
///
/// # Errors
///
/// Nothing of one is cached, which is told when the others are gone; nobody can be asked and `--yes` is not given.
pub(crate) fn remove(arguments: &RemoveArguments) -> anyhow::Result<ExitCode> {
    let names: Vec<String> = arguments.models.iter().map(ToString::to_string).collect();
    let what = format!("removing {}", names.join(", "));
    if !confirmation::given(&what, arguments.yes)? {
        return Ok(ExitCode::FAILURE);
    }
    let hub = hub(true)?;
    let mut fault = None;
    for model in &arguments.models {
        match hub.remove(model) {
            Ok(free) => output::write(&format!("{model} is gone, {} are free\n", bytes(free)))?,
            Err(error) => {
                if let Some(earlier) = fault.replace(error) {
                    failure::complain(&format!("wick: {}\n", failure::chain(&earlier)));
                }
            }
        }
    }
    match fault {
        None => Ok(ExitCode::SUCCESS),
        Some(last) => Err(last.into()),
    }
}
