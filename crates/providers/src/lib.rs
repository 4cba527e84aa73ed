//! Where machines come from. Adding a provider: its folder, its `mod`, its line in `all`.

use std::sync::Arc;

use bellwether_contracts::Provider;

pub mod docker;

pub use docker::DockerOptions;

/// Every provider of this server.
#[must_use]
pub fn all(docker: DockerOptions) -> Vec<Arc<dyn Provider>> {
    vec![Arc::new(docker::Docker::new(docker))]
}
