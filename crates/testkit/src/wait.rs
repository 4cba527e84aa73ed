//! Waiting for conditions; nothing sleeps for a fixed time and hopes.

use std::future::Future;
use std::time::{Duration, Instant};

/// Asks until the answer is there; an error with the last complaint when time is up.
pub async fn until<T, F>(
    what: &str,
    limit: Duration,
    mut ask: impl FnMut() -> F,
) -> anyhow::Result<T>
where
    F: Future<Output = anyhow::Result<T>>,
{
    let end = Instant::now() + limit;
    loop {
        match ask().await {
            Ok(value) => return Ok(value),
            Err(error) if Instant::now() >= end => {
                anyhow::bail!("{what}: not within {} s: {error:#}", limit.as_secs())
            }
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}
