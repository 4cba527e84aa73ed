//! What the engine alone needs: a bare primary and replica, the primary killed, the replica
//! promoted at once by a session that waits for nothing else, and the writer told where to go.

mod keys;
mod mysql;
mod postgresql;

/// Milliseconds from the last write that the killed primary acknowledged to the first that the
/// promoted replica did.
pub(crate) async fn measure(engine: &str) -> anyhow::Result<f64> {
    match engine {
        "postgresql" => postgresql::measure().await,
        "mariadb" | "mysql" => mysql::measure(engine).await,
        other => keys::measure(other).await,
    }
}
