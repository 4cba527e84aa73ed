//! The settings of MariaDB and MySQL that people may choose, and those that are Bellwether's.

use bellwether_model::parameter::{OwnedParameter, Parameter};

use crate::parameters::{
    DAY, GIB, HOUR, KIB, MIB, SECOND, TIB, Told as _, boolean, bytes, choice, duration, fixed,
    in_groups, integer, of_memory, owned_by,
};

/// The engine keeps its pool in chunks of that size.
const CHUNK: f64 = 128.0 * MIB;

/// Every one, in groups. `pool_share`: the memory divided by it is the pool's, where nobody chose.
pub(crate) fn parameters(pool_share: f64) -> Vec<Parameter> {
    let groups = [
        ("Memory", memory(pool_share)),
        ("Connections", connections()),
        ("Transactions", transactions()),
        ("Statements", statements()),
    ];
    in_groups(groups)
}

fn memory(pool_share: f64) -> Vec<Parameter> {
    let small = |name: &str, title: &str| {
        bytes(name, title, KIB)
            .range(fixed(32.0 * KIB), of_memory(8.0, MIB, GIB))
            .by_default(fixed(256.0 * KIB))
    };
    let table = |name: &str, title: &str| {
        bytes(name, title, MIB)
            .range(fixed(MIB), of_memory(4.0, 16.0 * MIB, 64.0 * GIB))
            .by_default(fixed(16.0 * MIB))
    };
    vec![
        bytes("innodb_buffer_pool_size", "Buffer pool", CHUNK)
            .range(fixed(CHUNK), of_memory(1.25, CHUNK, TIB))
            .by_default(of_memory(pool_share, CHUNK, TIB))
            .at_start()
            .about("Memory in which the engine keeps pages of all tables: the more, the quicker."),
        small("sort_buffer_size", "Memory of a sort")
            .about("What each sort of each statement may take before it uses the disk."),
        small("join_buffer_size", "Memory of a join")
            .about("What each join without an index may take."),
        table("tmp_table_size", "Temporary tables in memory")
            .about("A larger temporary table of a statement goes to the disk."),
        table("max_heap_table_size", "Tables in memory")
            .about("How large a table that is kept in memory may grow."),
    ]
}

fn connections() -> Vec<Parameter> {
    let idle = |name: &str, title: &str| {
        duration(name, title, SECOND)
            .range(fixed(10.0 * SECOND), fixed(30.0 * DAY))
            .by_default(fixed(8.0 * HOUR))
    };
    vec![
        // Each connection may take some 5 MB; the processor, not the number, is the limit beyond.
        integer("max_connections", "Connections")
            .range(fixed(20.0), of_memory(MIB, 100.0, 5_000.0))
            .by_default(of_memory(5.0 * MIB, 50.0, 500.0))
            .about("How many clients can be connected at once. Each takes memory."),
        idle("wait_timeout", "End idle connections")
            .about("A program that says nothing for so long is disconnected."),
        idle("interactive_timeout", "End idle people's connections")
            .about("The same for clients that say that a person sits there."),
        bytes("max_allowed_packet", "Longest statement", MIB)
            .range(fixed(MIB), fixed(GIB))
            .by_default(fixed(64.0 * MIB))
            .about("The longest statement or row that is sent."),
        integer("thread_cache_size", "Threads kept for new connections")
            .range(fixed(0.0), fixed(1_000.0))
            .by_default(fixed(100.0))
            .about("More: quicker connections where many come and go."),
    ]
}

fn transactions() -> Vec<Parameter> {
    let levels = ["read-uncommitted", "read-committed", "repeatable-read", "serializable"];
    vec![
        choice("transaction_isolation", "Isolation of transactions", &levels)
            .word("repeatable-read")
            .about("Where a session does not say. Stricter ones wait for each other more."),
        duration("innodb_lock_wait_timeout", "Wait for a row", SECOND)
            .range(fixed(SECOND), fixed(DAY))
            .by_default(fixed(50.0 * SECOND))
            .about("A statement that waits longer for a row of another transaction fails."),
        duration("lock_wait_timeout", "Wait for a table", SECOND)
            .range(fixed(SECOND), fixed(DAY))
            .by_default(fixed(DAY))
            .about("A statement that waits longer for a table's definition fails."),
        boolean("innodb_print_all_deadlocks", "Log deadlocks", false)
            .about("Every deadlock is written to the engine's log."),
        duration("binlog_expire_logs_seconds", "Keep the log", HOUR)
            .range(fixed(HOUR), fixed(30.0 * DAY))
            .by_default(fixed(7.0 * DAY))
            .about("A node that was away for longer is copied anew when it comes back."),
    ]
}

fn statements() -> Vec<Parameter> {
    vec![
        integer("group_concat_max_len", "Length of GROUP_CONCAT")
            .range(fixed(4.0), fixed(GIB))
            .by_default(fixed(MIB))
            .about("Longer results are cut."),
        duration("long_query_time", "Slow statements", 1.0)
            .range(fixed(1.0), fixed(HOUR))
            .by_default(fixed(10.0 * SECOND))
            .about("Statements that take longer are counted as slow."),
    ]
}

/// Settings that are not a person's to choose: the reason, and their names.
const OWNED: &[(&str, &[&str])] = &[
    (
        "where the engine listens is what the endpoints and the gate rely on",
        &["bind_address", "port", "socket", "skip_name_resolve"],
    ),
    (
        "certificates are issued and renewed by the cluster's authority",
        &["ssl_cert", "ssl_key", "ssl_ca", "tls_version", "require_secure_transport"],
    ),
    (
        "who accepts writes is decided by the cluster",
        &["read_only", "super_read_only", "server_id"],
    ),
    (
        "replication is what a failover relies on; choose the cluster's replication mode",
        &[
            "log_bin",
            "relay_log",
            "binlog_format",
            "gtid_mode",
            "gtid_domain_id",
            "gtid_strict_mode",
            "enforce_gtid_consistency",
            "relay_log_recovery",
            "rpl_semi_sync_master_enabled",
            "rpl_semi_sync_source_enabled",
            "rpl_semi_sync_source_wait_for_replica_count",
        ],
    ),
    (
        "no acknowledged write may be lost",
        &["sync_binlog", "innodb_flush_log_at_trx_commit", "datadir", "tmpdir"],
    ),
    ("clients must not read the node's files", &["local_infile", "secure_file_priv"]),
    ("every node keeps UTC, so that times can be compared", &["time_zone", "default_time_zone"]),
];

pub(crate) fn owned() -> Vec<OwnedParameter> {
    owned_by(OWNED)
}
