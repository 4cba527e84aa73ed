//! Imports point down only: which crate may use which, held by a test.

use std::process::Command;

use anyhow::{Context as _, bail};

/// From the top. A crate may use those of lower layers; of its own layer only what is listed.
const LAYERS: &[&[&str]] = &[
    &["bellwether", "bellwether-agent", "xtask", "e2e", "sim", "bench"],
    &[
        "bellwether-api",
        "bellwether-control",
        "bellwether-agent-core",
        "bellwether-client",
        "bellwether-testkit",
    ],
    &[
        "bellwether-store",
        "bellwether-engines",
        "bellwether-providers",
        "bellwether-backups",
        "bellwether-identity",
    ],
    &["bellwether-planner"],
    &["bellwether-contracts"],
    &["bellwether-protocol"],
    &["bellwether-model"],
];

/// Neither loop nor API imports an adapter: the mains hand them in.
const NEVER: &[(&str, &str)] = &[
    ("bellwether-control", "bellwether-engines"),
    ("bellwether-control", "bellwether-providers"),
    ("bellwether-api", "bellwether-engines"),
    ("bellwether-api", "bellwether-providers"),
    ("bellwether-control", "bellwether-backups"),
    ("bellwether-api", "bellwether-backups"),
    ("bellwether-api", "bellwether-identity"),
    ("bellwether-agent-core", "bellwether-backups"),
    ("bellwether-agent-core", "bellwether-engines"),
    ("bellwether-agent-core", "bellwether-store"),
    ("bellwether-client", "bellwether-store"),
];

fn layer(name: &str) -> Option<usize> {
    LAYERS.iter().position(|layer| layer.contains(&name))
}

pub(crate) fn check() -> anyhow::Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--no-deps", "--offline"])
        .current_dir(crate::root())
        .output()
        .context("run cargo metadata")?;
    let metadata: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    let packages = metadata["packages"].as_array().context("packages")?;
    let mut wrong = Vec::new();
    for package in packages {
        let name = package["name"].as_str().unwrap_or_default();
        let Some(own) = layer(name) else { bail!("{name} is in no layer: put it into one") };
        for dependency in package["dependencies"].as_array().context("dependencies")? {
            let used = dependency["name"].as_str().unwrap_or_default();
            let is_dev = dependency["kind"].as_str() == Some("dev");
            let Some(other) = layer(used).filter(|_| !is_dev) else { continue };
            if other <= own || NEVER.contains(&(name, used)) {
                wrong.push(format!("{name} must not use {used}"));
            }
        }
    }
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n"));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #[test]
    fn imports_point_down() {
        super::check().expect("layers");
    }
}
