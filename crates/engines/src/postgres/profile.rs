//! PostgreSQL's facts.

use bellwether_model::engine::{
    Capabilities, EnginePorts, EngineProfile, ExampleTemplate, LogFacts,
};

use crate::facts::{self, replication_modes, topologies};

/// The stored name.
pub const NAME: &str = "postgresql";

#[must_use]
pub fn profile() -> EngineProfile {
    EngineProfile {
        name: NAME.to_owned(),
        title: "PostgreSQL".to_owned(),
        summary: "The relational database, with streaming replication.".to_owned(),
        versions: ["17", "18", "15"].map(str::to_owned).into(),
        topologies: topologies(),
        replication_modes: replication_modes(true),
        memory_min: 256 << 20,
        disk_min: 1 << 30,
        ports: EnginePorts {
            gate: 5432,
            read_write: 5000,
            read_only: 5001,
            private: 5431,
            read_gate: 5433,
            peer: 5440,
            bus: 0,
        },
        capabilities: Capabilities {
            synchronous: true,
            point_in_time: true,
            multi_primary: false,
            sharded: false,
            backups: true,
            restores_in_place: true,
        },
        parameters: super::parameters::parameters(),
        owned_parameters: super::parameters::owned(),
        log: LogFacts::BYTES,
        user: "app".to_owned(),
        database: "app".to_owned(),
        examples: examples(),
        warnings: Vec::new(),
    }
}

fn examples() -> Vec<ExampleTemplate> {
    let example = |name: &str, title: &str, text: &str| {
        let query = "sslmode=verify-full&sslrootcert=ca.pem";
        facts::example(name, title, &text.replace("{query}", query))
    };
    vec![
        example(
            "psql",
            "psql",
            "PGPASSWORD='{password}' psql \"host={hosts} port={ports} user={user} \
             dbname={database} sslmode=verify-full sslrootcert=ca.pem\"",
        ),
        example("uri", "URI", "postgresql://{user}:{password}@{addresses}/{database}?{query}"),
        example(
            "jdbc",
            "JDBC",
            "jdbc:postgresql://{addresses}/{database}?user={user}&password={password}&{query}",
        ),
        example(
            "python",
            "Python",
            "import psycopg\n\nconnection = psycopg.connect(\n    \
             \"postgresql://{user}:{password}@{addresses}/{database}?{query}\"\n)",
        ),
        example(
            "node",
            "Node.js",
            "import fs from 'node:fs';\nimport pg from 'pg';\n\n\
             const client = new pg.Client({\n  \
             host: '{host}', port: {port}, user: '{user}', password: '{password}',\n  \
             database: '{database}', ssl: { ca: fs.readFileSync('ca.pem') },\n});\n\
             await client.connect();",
        ),
    ]
}
