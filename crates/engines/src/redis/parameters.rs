//! The settings of Valkey, Redis and KeyDB that people may choose, and those that are Bellwether's.

use bellwether_model::parameter::{OwnedParameter, Parameter};

use super::Kind;
use crate::parameters::{
    DAY, GIB, KIB, MIB, MINUTE, SECOND, TIB, Told as _, boolean, bytes, choice, duration, fixed,
    in_groups, integer, of_disk, of_memory, owned_by,
};

/// Every one, in groups.
pub(super) fn parameters(kind: Kind) -> Vec<Parameter> {
    let groups = [
        ("Memory", memory()),
        ("Disk", disk()),
        ("Connections", connections()),
        ("Keys", keys(kind)),
        ("Slow commands", slow(kind)),
    ];
    in_groups(groups)
}

fn memory() -> Vec<Parameter> {
    let policies = [
        "noeviction",
        "allkeys-lru",
        "allkeys-lfu",
        "allkeys-random",
        "volatile-lru",
        "volatile-lfu",
        "volatile-random",
        "volatile-ttl",
    ];
    vec![
        choice("maxmemory-policy", "When memory is full", &policies).word("noeviction").about(
            "Refuses new data, or forgets keys: the least used of all, or of those that expire. \
             A cache wants one of the latter.",
        ),
        integer("maxmemory-samples", "Keys compared to forget one")
            .range(fixed(1.0), fixed(64.0))
            .by_default(fixed(5.0))
            .about("More: nearer to the least used, and more work."),
        boolean("lazyfree-lazy-eviction", "Free forgotten keys aside", true)
            .about("Memory of keys that are forgotten is given back beside the work for clients."),
        boolean("lazyfree-lazy-expire", "Free expired keys aside", true)
            .about("Memory of keys that expire is given back beside the work for clients."),
        boolean("lazyfree-lazy-user-del", "DEL frees aside", true)
            .about("`DEL` gives memory back beside the work for clients, as `UNLINK` does."),
    ]
}

fn disk() -> Vec<Parameter> {
    vec![
        choice("appendfsync", "Writes reach the disk", &["everysec", "always"])
            .word("everysec")
            .about(
                "Once a second, so that a power cut may take the last one, or before each answer: \
                 slower.",
            ),
        integer("auto-aof-rewrite-percentage", "Growth before the file is rewritten")
            .range(fixed(10.0), fixed(1_000.0))
            .by_default(fixed(100.0))
            .about("Per cent by which the file on disk grows before it is written anew, shorter."),
        bytes("auto-aof-rewrite-min-size", "Smallest file that is rewritten", MIB)
            .range(fixed(MIB), of_disk(4.0, 64.0 * MIB, TIB))
            .by_default(fixed(64.0 * MIB))
            .about("A smaller file is not written anew."),
    ]
}

fn connections() -> Vec<Parameter> {
    vec![
        integer("maxclients", "Connections")
            .range(fixed(100.0), of_memory(32.0 * KIB, 1_000.0, 15_000.0))
            .by_default(of_memory(64.0 * KIB, 1_000.0, 10_000.0))
            .about("How many clients can be connected at once."),
        duration("timeout", "End idle connections", SECOND)
            .range(fixed(10.0 * SECOND), fixed(DAY))
            .special(0, "never")
            .by_default(fixed(0.0))
            .about("A client that says nothing for so long is disconnected."),
        bytes("client-query-buffer-limit", "Longest request", MIB)
            .range(fixed(MIB), of_memory(1.0, 64.0 * MIB, GIB))
            .by_default(of_memory(4.0, 32.0 * MIB, GIB))
            .about("A client whose request takes more memory is disconnected."),
        bytes("proto-max-bulk-len", "Longest value", MIB)
            .range(fixed(MIB), fixed(512.0 * MIB))
            .by_default(fixed(512.0 * MIB))
            .about("The longest single value that a client may send."),
    ]
}

fn keys(kind: Kind) -> Vec<Parameter> {
    let mut all = vec![
        integer("hz", "Rounds of care a second")
            .range(fixed(1.0), fixed(500.0))
            .by_default(fixed(10.0))
            .about(
                "How often keys that expired are looked for, and idle clients. More: more work.",
            ),
        integer("active-expire-effort", "Effort for expired keys")
            .range(fixed(1.0), fixed(10.0))
            .by_default(fixed(1.0))
            .about("More: memory of keys that expired is free sooner, for more work."),
        integer("set-max-intset-entries", "Small sets of numbers")
            .range(fixed(0.0), fixed(65_536.0))
            .by_default(fixed(512.0))
            .about("Up to so many members a set of numbers is kept in little memory."),
    ];
    if kind != Kind::KeyDb {
        all.extend([
            integer("hash-max-listpack-entries", "Small hashes")
                .range(fixed(0.0), fixed(65_536.0))
                .by_default(fixed(512.0))
                .about("Up to so many fields a hash is kept in little memory."),
            integer("zset-max-listpack-entries", "Small sorted sets")
                .range(fixed(0.0), fixed(65_536.0))
                .by_default(fixed(128.0))
                .about("Up to so many members a sorted set is kept in little memory."),
        ]);
    }
    all
}

fn slow(kind: Kind) -> Vec<Parameter> {
    let mut all = vec![
        duration("slowlog-log-slower-than", "Remember slow commands", 1.0)
            .range(fixed(1.0), fixed(MINUTE))
            .special(-1, "none")
            .special(0, "all")
            .by_default(fixed(10.0))
            .about("Commands that take longer can be looked at with `SLOWLOG`."),
        integer("slowlog-max-len", "Slow commands remembered")
            .range(fixed(0.0), fixed(100_000.0))
            .by_default(fixed(128.0))
            .about("The oldest are forgotten."),
        duration("latency-monitor-threshold", "Remember delays", 1.0)
            .range(fixed(1.0), fixed(MINUTE))
            .special(0, "none")
            .by_default(fixed(0.0))
            .about("What makes clients wait longer can be looked at with `LATENCY`."),
    ];
    if kind != Kind::KeyDb {
        all.push(
            duration("busy-reply-threshold", "Scripts that take too long", 100.0)
                .range(fixed(100.0), fixed(10.0 * MINUTE))
                .by_default(fixed(5.0 * SECOND))
                .about("After so long other clients are told that a script keeps the engine busy."),
        );
    }
    all
}

/// Settings that are not a person's to choose: the reason, and their names.
const OWNED: &[(&str, &[&str])] = &[
    (
        "where the engine listens is what the endpoints and the gate rely on",
        &["bind", "port", "tls-port", "unixsocket", "unixsocketperm", "protected-mode"],
    ),
    ("who may do what is the cluster's own", &["aclfile", "requirepass", "rename-command"]),
    (
        "certificates are issued and renewed by the cluster's authority",
        &["tls-cert-file", "tls-key-file", "tls-ca-cert-file", "tls-auth-clients", "tls-protocols"],
    ),
    (
        "replication is what a failover relies on",
        &[
            "replicaof",
            "masteruser",
            "masterauth",
            "replica-read-only",
            "replica-serve-stale-data",
            "repl-backlog-size",
            "repl-timeout",
            "repl-diskless-sync",
            "repl-diskless-load",
            "repl-ping-replica-period",
            "client-output-buffer-limit",
            "min-replicas-to-write",
        ],
    ),
    (
        "the data has to be on disk, and to be found there",
        &["appendonly", "appendfilename", "appenddirname", "dir", "save", "aof-load-truncated"],
    ),
    ("it follows from the node's memory", &["maxmemory"]),
    ("connections to clients that are gone have to end", &["tcp-keepalive"]),
];

pub(super) fn owned() -> Vec<OwnedParameter> {
    owned_by(OWNED)
}
