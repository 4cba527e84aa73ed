//! The facts of Valkey, Redis and KeyDB.

use bellwether_model::engine::{
    Capabilities, EnginePorts, EngineProfile, ExampleTemplate, LogFacts,
};

use super::{Kind, parameters};
use crate::facts::{example, mode, sharded, topologies};

#[must_use]
pub fn profile(kind: Kind) -> EngineProfile {
    let (title, summary, versions): (_, _, &[&str]) = match kind {
        Kind::Valkey => ("Valkey", "The open key-value store, in memory and on disk.", &["8", "9"]),
        Kind::Redis => ("Redis", "The key-value store, in memory and on disk.", &["8"]),
        Kind::KeyDb => {
            ("KeyDB", "An older key-value store of several threads; Valkey goes on.", &["6"])
        }
    };
    EngineProfile {
        name: kind.name().to_owned(),
        title: title.to_owned(),
        summary: summary.to_owned(),
        versions: versions.iter().map(|version| (*version).to_owned()).collect(),
        topologies: if kind == Kind::KeyDb {
            topologies()
        } else {
            topologies().into_iter().chain([sharded()]).collect()
        },
        replication_modes: vec![mode(
            "async",
            "Asynchronous",
            "The primary alone acknowledges. With a lost primary, what it had not sent yet is \
             lost: milliseconds while replicas keep up, and it is counted.",
        )],
        memory_min: 192 << 20,
        disk_min: 1 << 30,
        ports: EnginePorts {
            gate: 6379,
            read_write: 5000,
            read_only: 5001,
            private: 6378,
            read_gate: 6377,
            peer: 5440,
            bus: if kind == Kind::KeyDb { 0 } else { 16_378 },
        },
        capabilities: Capabilities {
            synchronous: false,
            point_in_time: false,
            multi_primary: false,
            sharded: kind != Kind::KeyDb,
            // What it would take is in no image of KeyDB that could be tried.
            backups: kind != Kind::KeyDb,
            restores_in_place: kind != Kind::KeyDb,
        },
        log: LogFacts { keeps_tail: false, ..LogFacts::BYTES },
        user: "app".to_owned(),
        database: String::new(),
        examples: examples(kind),
        warnings: warnings(kind),
        parameters: parameters::parameters(kind),
        owned_parameters: parameters::owned(),
    }
}

fn warnings(kind: Kind) -> Vec<String> {
    let mut all = vec![
        "Acknowledged writes may be lost with the primary: `WAIT` asks replicas for one client's \
         own writes and binds nobody else, so no mode here is called synchronous."
            .to_owned(),
        "A power cut may take the last second of writes of every node that it hits: the file on \
         disk is flushed once a second."
            .to_owned(),
    ];
    if kind != Kind::KeyDb {
        all.push(
            "In a sharded cluster a shard's engine takes no writes while it has not heard half of \
             the others' primaries for 15 s."
                .to_owned(),
        );
    }
    if kind == Kind::KeyDb {
        all.push(
            "KeyDB is hardly maintained any more and in no package source; new clusters are \
             better made with Valkey."
                .to_owned(),
        );
        all.push("The key `bellwether:term` in database 0 is the cluster's own.".to_owned());
    }
    all
}

fn examples(kind: Kind) -> Vec<ExampleTemplate> {
    let (client, scheme) = match kind {
        Kind::Valkey => ("valkey-cli", "valkeys"),
        Kind::Redis => ("redis-cli", "rediss"),
        Kind::KeyDb => ("keydb-cli", "rediss"),
    };
    let sharded = |name, title, text: &str| {
        let example = example(name, title, text);
        ExampleTemplate { sharded: true, ..example }
    };
    let cluster_aware = vec![
        sharded(
            client,
            client,
            &format!(
                "REDISCLI_AUTH='{{password}}' {client} -c --user {{user}} -h {{host}} -p {{port}} \
                 --tls --cacert ca.pem"
            ),
        ),
        sharded(
            "python",
            "Python",
            "import redis\n\nclient = redis.RedisCluster(\n    host='{host}', port={port}, \
             username='{user}', password='{password}',\n    ssl=True, ssl_ca_certs='ca.pem', \
             ssl_check_hostname=True,\n)",
        ),
        sharded(
            "node",
            "Node.js",
            "import fs from 'node:fs';\nimport { Cluster } from 'ioredis';\n\n\
             const client = new Cluster([{ host: '{host}', port: {port} }], {\n  \
             redisOptions: {\n    username: '{user}', password: '{password}',\n    tls: { ca: \
             fs.readFileSync('ca.pem') },\n  },\n});",
        ),
    ];
    let all = vec![
        example(
            client,
            client,
            &format!(
                "REDISCLI_AUTH='{{password}}' {client} --user {{user}} -h {{host}} -p {{port}} \
                 --tls --cacert ca.pem"
            ),
        ),
        example("uri", "URI", &format!("{scheme}://{{user}}:{{password}}@{{host}}:{{port}}/0")),
        example(
            "python",
            "Python",
            "import redis\n\nclient = redis.Redis(\n    host='{host}', port={port}, \
             username='{user}', password='{password}',\n    ssl=True, ssl_ca_certs='ca.pem', \
             ssl_check_hostname=True,\n)",
        ),
        example(
            "node",
            "Node.js",
            "import fs from 'node:fs';\nimport Redis from 'ioredis';\n\n\
             const client = new Redis({\n  host: '{host}', port: {port}, username: '{user}', \
             password: '{password}',\n  tls: { ca: fs.readFileSync('ca.pem') },\n});",
        ),
        example(
            "java",
            "Java",
            "// Lettuce; the truststore holds ca.pem.\nRedisClient client = RedisClient.create(\n  \
             \"rediss://{user}:{password}@{host}:{port}/0\");",
        ),
    ];
    let cluster_aware = cluster_aware.into_iter().filter(|_| kind != Kind::KeyDb);
    all.into_iter().chain(cluster_aware).collect()
}
