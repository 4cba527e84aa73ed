//! How a client reaches a cluster: endpoints and ready-made commands.

use bellwether_model::connection::{Connection, ConnectionExample};
use bellwether_model::engine::{EngineProfile, ExampleTemplate};
use bellwether_model::node::NodePhase;

use crate::view::View;

/// Endpoints, certificate and examples. Without a password the examples have a placeholder for it.
#[must_use]
pub fn connection(
    view: &View,
    engine: &EngineProfile,
    password: Option<&str>,
    ca_certificate: &str,
) -> Connection {
    let addresses: Vec<&str> = view
        .every_node()
        .filter(|facts| matches!(facts.node.phase, NodePhase::Active | NodePhase::Rejoining))
        .map(|facts| facts.node.address.as_str())
        .collect();
    let with_port = |port: u16| addresses.iter().map(|a| format!("{a}:{port}")).collect();
    let shown = password.unwrap_or("PASSWORD");
    let mut examples = Vec::new();
    for (endpoint, port) in
        [("read_write", engine.ports.read_write), ("read_only", engine.ports.read_only)]
    {
        let examples_here = examples_for(engine, endpoint, &addresses, port, shown);
        let is_sharded = view.is_sharded() || view.cluster.shard.is_some();
        let fits = |(template, _): &(&ExampleTemplate, _)| template.sharded == is_sharded;
        let templates = engine.examples.iter();
        examples.extend(templates.zip(examples_here).filter(fits).map(|(_, example)| example));
    }
    Connection {
        user: engine.user.clone(),
        database: engine.database.clone(),
        password: password.map(str::to_owned),
        read_write: with_port(engine.ports.read_write),
        read_only: with_port(engine.ports.read_only),
        ca_certificate: ca_certificate.to_owned(),
        examples,
    }
}

fn examples_for(
    engine: &EngineProfile,
    endpoint: &str,
    addresses: &[&str],
    port: u16,
    password: &str,
) -> Vec<ConnectionExample> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let with_ports: Vec<String> = addresses.iter().map(|a| format!("{a}:{port}")).collect();
    let values = [
        ("{user}", engine.user.clone()),
        ("{password}", password.to_owned()),
        ("{database}", engine.database.clone()),
        ("{port}", port.to_string()),
        ("{host}", (*first).to_owned()),
        ("{hosts}", addresses.join(",")),
        ("{ports}", vec![port.to_string(); addresses.len()].join(",")),
        ("{addresses}", with_ports.join(",")),
    ];
    let fill = |template: &str| {
        values.iter().fold(template.to_owned(), |text, (place, value)| text.replace(place, value))
    };
    let example = |template: &ExampleTemplate| ConnectionExample {
        name: template.name.clone(),
        title: template.title.clone(),
        endpoint: endpoint.to_owned(),
        text: fill(&template.text),
    };
    engine.examples.iter().map(example).collect()
}
