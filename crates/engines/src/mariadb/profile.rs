//! MariaDB's facts.

use bellwether_model::engine::{
    Capabilities, EnginePorts, EngineProfile, ExampleTemplate, LogFacts, LogUnit, ReplicationFact,
    TopologyFact, TopologyPicture,
};

/// The stored name.
pub const NAME: &str = "mariadb";

#[must_use]
pub fn profile() -> EngineProfile {
    EngineProfile {
        name: NAME.to_owned(),
        title: "MariaDB".to_owned(),
        summary: "The relational database of MySQL's family, with replication by global \
                  transaction ids."
            .to_owned(),
        versions: vec!["11.8".to_owned()],
        topologies: vec![
            TopologyFact {
                name: "single".to_owned(),
                title: "Single".to_owned(),
                summary: "One primary and no copy; replicas can be added later.".to_owned(),
                picture: TopologyPicture::Single,
                nodes_min: 1,
                nodes_max: 1,
            },
            TopologyFact {
                name: "primary_replicas".to_owned(),
                title: "Primary and replicas".to_owned(),
                summary: "One primary accepts writes; each replica is a full copy that serves \
                          reads and can take over."
                    .to_owned(),
                picture: TopologyPicture::Replicas,
                nodes_min: 2,
                nodes_max: 9,
            },
        ],
        replication_modes: replication_modes(),
        memory_min: 512 << 20,
        disk_min: 1 << 30,
        ports: EnginePorts {
            gate: 3306,
            read_write: 5000,
            read_only: 5001,
            private: 3305,
            read_gate: 3307,
            peer: 5440,
        },
        capabilities: Capabilities {
            synchronous: true,
            point_in_time: false,
            multi_primary: false,
            sharded: false,
            backups: false,
        },
        log: LogFacts {
            unit: LogUnit::Transactions,
            loss_max: 10_000,
            lag_max: 10_000,
            keeps_tail: true,
        },
        user: "app".to_owned(),
        database: "app".to_owned(),
        examples: examples(),
        warnings: vec![
            "One replica confirms a write at most: a quorum of more cannot be asked for."
                .to_owned(),
        ],
        parameters: Vec::new(),
        owned_parameters: Vec::new(),
    }
}

fn replication_modes() -> Vec<ReplicationFact> {
    let mode = |name: &str, title: &str, summary: &str| ReplicationFact {
        name: name.to_owned(),
        title: title.to_owned(),
        summary: summary.to_owned(),
    };
    vec![
        mode(
            "async",
            "Asynchronous",
            "The quickest writes. With a lost primary its last writes may be lost.",
        ),
        mode(
            "prefer",
            "Synchronous where possible",
            "A replica confirms each write while one can; writes go on without when none can.",
        ),
        mode(
            "strict",
            "Synchronous",
            "A replica confirms each write; without a replica writes wait. No acknowledged \
             write is lost with the primary.",
        ),
    ]
}

fn examples() -> Vec<ExampleTemplate> {
    let example = |name: &str, title: &str, text: &str| ExampleTemplate {
        name: name.to_owned(),
        title: title.to_owned(),
        text: text.to_owned(),
    };
    vec![
        example(
            "mariadb",
            "mariadb",
            "MYSQL_PWD='{password}' mariadb --host={host} --port={port} --user={user} \
             --ssl-ca=ca.pem --ssl-verify-server-cert {database}",
        ),
        example("uri", "URI", "mariadb://{user}:{password}@{host}:{port}/{database}"),
        example(
            "jdbc",
            "JDBC",
            "jdbc:mariadb://{addresses}/{database}?user={user}&password={password}\
             &sslMode=verify-full&serverSslCert=ca.pem",
        ),
        example(
            "python",
            "Python",
            "import pymysql\n\nconnection = pymysql.connect(\n    \
             host=\"{host}\", port={port}, user=\"{user}\", password=\"{password}\",\n    \
             database=\"{database}\", ssl_ca=\"ca.pem\", ssl_verify_identity=True,\n)",
        ),
        example(
            "node",
            "Node.js",
            "import fs from 'node:fs';\nimport mysql from 'mysql2/promise';\n\n\
             const connection = await mysql.createConnection({\n  \
             host: '{host}', port: {port}, user: '{user}', password: '{password}',\n  \
             database: '{database}', ssl: { ca: fs.readFileSync('ca.pem') },\n});",
        ),
    ]
}
