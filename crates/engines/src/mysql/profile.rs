//! MySQL's facts.

use bellwether_model::engine::{
    Capabilities, EnginePorts, EngineProfile, ExampleTemplate, LogFacts, LogUnit,
};

use crate::facts::{example, replication_modes, topologies};
use crate::mysql_family::parameters::{owned, parameters};

/// The stored name.
pub const NAME: &str = "mysql";

/// The node's memory divided by it is the buffer pool's, where nobody chose.
pub(super) const POOL_SHARE: f64 = 4.0;

#[must_use]
pub fn profile() -> EngineProfile {
    EngineProfile {
        name: NAME.to_owned(),
        title: "MySQL".to_owned(),
        summary: "The most widely used relational database, with replication by global \
                  transaction ids."
            .to_owned(),
        versions: vec!["9.7".to_owned()],
        topologies: topologies(),
        replication_modes: replication_modes(true),
        memory_min: 768 << 20,
        disk_min: 1 << 30,
        ports: EnginePorts {
            gate: 3306,
            read_write: 5000,
            read_only: 5001,
            private: 3305,
            read_gate: 3307,
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
        log: LogFacts {
            unit: LogUnit::Transactions,
            loss_max: 10_000,
            lag_max: 10_000,
            keeps_tail: true,
        },
        user: "app".to_owned(),
        database: "app".to_owned(),
        examples: examples(),
        warnings: Vec::new(),
        parameters: parameters(POOL_SHARE),
        owned_parameters: owned(),
    }
}

fn examples() -> Vec<ExampleTemplate> {
    vec![
        example(
            "mysql",
            "mysql",
            "MYSQL_PWD='{password}' mysql --host={host} --port={port} --user={user} \
             --ssl-ca=ca.pem --ssl-mode=VERIFY_IDENTITY {database}",
        ),
        example("uri", "URI", "mysql://{user}:{password}@{host}:{port}/{database}"),
        example(
            "jdbc",
            "JDBC",
            "jdbc:mysql://{addresses}/{database}?user={user}&password={password}\
             &sslMode=VERIFY_IDENTITY&trustCertificateKeyStoreType=PEM\
             &trustCertificateKeyStoreUrl=file:ca.pem",
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
