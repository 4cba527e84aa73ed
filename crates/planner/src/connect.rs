//! How a client reaches a cluster: endpoints and ready-made commands.

use bellwether_model::connection::{Connection, ConnectionExample};
use bellwether_model::engine::EngineProfile;
use bellwether_model::node::NodePhase;

use crate::view::View;

/// The application's user of every cluster.
pub const USER: &str = "app";

/// The application's database of every cluster.
pub const DATABASE: &str = "app";

/// Endpoints, certificate and examples. Without a password the examples have a placeholder for it.
#[must_use]
pub fn connection(
    view: &View,
    engine: &EngineProfile,
    user: &str,
    database: &str,
    password: Option<&str>,
    ca_certificate: &str,
) -> Connection {
    let addresses: Vec<&str> = view
        .nodes
        .iter()
        .filter(|facts| matches!(facts.node.phase, NodePhase::Active | NodePhase::Rejoining))
        .map(|facts| facts.node.address.as_str())
        .collect();
    let with_port = |port: u16| addresses.iter().map(|a| format!("{a}:{port}")).collect();
    let shown = password.unwrap_or("PASSWORD");
    let mut examples = Vec::new();
    for (endpoint, port) in
        [("read_write", engine.ports.read_write), ("read_only", engine.ports.read_only)]
    {
        examples.extend(examples_for(endpoint, &addresses, port, user, database, shown));
    }
    Connection {
        user: user.to_owned(),
        database: database.to_owned(),
        password: password.map(str::to_owned),
        read_write: with_port(engine.ports.read_write),
        read_only: with_port(engine.ports.read_only),
        ca_certificate: ca_certificate.to_owned(),
        examples,
    }
}

fn examples_for(
    endpoint: &str,
    addresses: &[&str],
    port: u16,
    user: &str,
    database: &str,
    password: &str,
) -> Vec<ConnectionExample> {
    if addresses.is_empty() {
        return Vec::new();
    }
    let list = addresses.join(",");
    let ports = vec![port.to_string(); addresses.len()].join(",");
    let hosts = addresses.iter().map(|a| format!("{a}:{port}")).collect::<Vec<_>>().join(",");
    let query = "sslmode=verify-full&sslrootcert=ca.pem";
    let example = |name: &str, title: &str, text: String| ConnectionExample {
        name: name.to_owned(),
        title: title.to_owned(),
        endpoint: endpoint.to_owned(),
        text,
    };
    let uri = format!("postgresql://{user}:{password}@{hosts}/{database}?{query}");
    vec![
        example(
            "psql",
            "psql",
            format!(
                "PGPASSWORD='{password}' psql \"host={list} port={ports} user={user} \
                 dbname={database} sslmode=verify-full sslrootcert=ca.pem\""
            ),
        ),
        example("uri", "URI", uri.clone()),
        example(
            "jdbc",
            "JDBC",
            format!("jdbc:postgresql://{hosts}/{database}?user={user}&password={password}&{query}"),
        ),
        example(
            "python",
            "Python",
            format!("import psycopg\n\nconnection = psycopg.connect(\n    \"{uri}\"\n)"),
        ),
        example(
            "node",
            "Node.js",
            format!(
                "import fs from 'node:fs';\nimport pg from 'pg';\n\n\
                 const client = new pg.Client({{\n  \
                 host: '{}', port: {port}, user: '{user}', password: '{password}',\n  \
                 database: '{database}', ssl: {{ ca: fs.readFileSync('ca.pem') }},\n}});\n\
                 await client.connect();",
                addresses[0]
            ),
        ),
    ]
}
