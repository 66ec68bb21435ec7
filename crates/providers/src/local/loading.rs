//! What loading a model takes beside the model itself.

use models::Checkpoint;

/// What both give, `one` on a thread of its own meanwhile.
pub(super) fn beside<A: Send, B>(one: impl FnOnce() -> A + Send, other: impl FnOnce() -> B) -> (A, B) {
    std::thread::scope(|scope| {
        let one = scope.spawn(one);
        let other = other();
        match one.join() {
            Ok(one) => (one, other),
            Err(panic) => std::panic::resume_unwind(panic),
        }
    })
}

/// The model's own name, else that of its file or folder.
pub(super) fn name_of(checkpoint: &Checkpoint) -> String {
    if let Some(name) = checkpoint.outline().name
        && !name.trim().is_empty()
    {
        return name;
    }
    let path = checkpoint.path();
    // `.` and `..` have no name of their own.
    let whole = path.canonicalize().unwrap_or_else(|_| path.to_owned());
    let name = if whole.is_dir() {
        whole.file_name()
    } else {
        path.file_stem()
    };
    name.unwrap_or_default().to_string_lossy().into_owned()
}
