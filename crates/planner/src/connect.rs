//! How a client reaches a cluster: endpoints and ready-made commands.

use bellwether_model::connection::{Connection, ConnectionExample};
use bellwether_model::engine::{EngineProfile, ExampleTemplate};
use bellwether_model::node::NodePhase;

use crate::view::View;

/// What clients have to know while another authority takes the place of the one that signs.
const ROTATED: &str = "The authority is being rotated. This ca.pem holds the former and the new \
                       one: give it to every client before the rotation is ended.";

/// As whom a client connects, and to which database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Who {
    pub login: String,
    pub database: String,
    pub password: Option<String>,
}

/// Endpoints, certificate and examples. Without a password the examples have a placeholder for it.
#[must_use]
pub fn connection(
    view: &View,
    engine: &EngineProfile,
    who: &Who,
    (ca_certificate, is_rotated): (&str, bool),
) -> Connection {
    let addresses: Vec<&str> = view
        .every_node()
        .filter(|facts| matches!(facts.node.phase, NodePhase::Active | NodePhase::Rejoining))
        .map(|facts| facts.node.address.as_str())
        .collect();
    let with_port = |port: u16| addresses.iter().map(|a| format!("{a}:{port}")).collect();
    let mut examples = Vec::new();
    for (endpoint, port) in
        [("read_write", engine.ports.read_write), ("read_only", engine.ports.read_only)]
    {
        let examples_here = examples_for(engine, (endpoint, port), &addresses, who);
        let is_sharded = view.is_sharded() || view.cluster.shard.is_some();
        let fits = |(template, _): &(&ExampleTemplate, _)| template.sharded == is_sharded;
        let templates = engine.examples.iter();
        examples.extend(templates.zip(examples_here).filter(fits).map(|(_, example)| example));
    }
    Connection {
        user: who.login.clone(),
        database: who.database.clone(),
        password: who.password.clone(),
        read_write: with_port(engine.ports.read_write),
        read_only: with_port(engine.ports.read_only),
        ca_certificate: ca_certificate.to_owned(),
        ca_note: is_rotated.then(|| ROTATED.to_owned()),
        examples,
    }
}

fn examples_for(
    engine: &EngineProfile,
    (endpoint, port): (&str, u16),
    addresses: &[&str],
    who: &Who,
) -> Vec<ConnectionExample> {
    let Some(first) = addresses.first() else { return Vec::new() };
    let with_ports: Vec<String> = addresses.iter().map(|a| format!("{a}:{port}")).collect();
    let values = [
        ("{user}", who.login.clone()),
        ("{password}", who.password.clone().unwrap_or_else(|| "PASSWORD".to_owned())),
        ("{database}", who.database.clone()),
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
