//! mistral.rs: its Python package, run by a script of ours.

/// Its name in tables.
pub(super) const NAME: &str = "mistral.rs";
/// The script that measures it.
pub(super) const SCRIPT: &str = "benches/peers/mistral_rs.py";
