//! Chores: `cargo xtask openapi` writes the API's document, `tidy` and `layers` look at the code.

mod layers;
mod openapi;
mod tidy;

fn main() -> anyhow::Result<()> {
    match std::env::args().nth(1).as_deref() {
        Some("openapi") => openapi::write(),
        Some("tidy") => tidy::check(),
        Some("layers") => layers::check(),
        _ => anyhow::bail!("use one of: openapi, tidy, layers"),
    }
}

/// The root of the workspace.
fn root() -> std::path::PathBuf {
    std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}
