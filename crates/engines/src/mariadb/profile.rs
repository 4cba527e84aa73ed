//! MariaDB's facts.

use bellwether_model::engine::{
    Capabilities, EnginePorts, EngineProfile, ExampleTemplate, LogFacts, LogUnit,
};

use crate::facts::{example, multi_primary, replication_modes, topologies};
use crate::mysql_family::parameters::{owned, parameters};

/// The stored name.
pub const NAME: &str = "mariadb";

/// The node's memory divided by it is the buffer pool's, where nobody chose.
pub(super) const POOL_SHARE: f64 = 2.0;

#[must_use]
pub fn profile() -> EngineProfile {
    EngineProfile {
        name: NAME.to_owned(),
        title: "MariaDB".to_owned(),
        summary: "The relational database of MySQL's family, with replication by global \
                  transaction ids."
            .to_owned(),
        versions: vec!["11.8".to_owned()],
        topologies: topologies().into_iter().chain([multi_primary()]).collect(),
        replication_modes: replication_modes(false),
        memory_min: 512 << 20,
        disk_min: 1 << 30,
        ports: EnginePorts {
            gate: 3306,
            read_write: 5000,
            read_only: 5001,
            private: 3305,
            read_gate: 3307,
            peer: 5440,
            bus: 4567,
        },
        capabilities: Capabilities {
            synchronous: true,
            point_in_time: true,
            multi_primary: true,
            sharded: false,
            backups: true,
            restores_in_place: true,
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
        parameters: parameters(POOL_SHARE),
        owned_parameters: owned(),
    }
}

fn examples() -> Vec<ExampleTemplate> {
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
