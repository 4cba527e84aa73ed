//! The settings of PostgreSQL that people may choose, and those that are Bellwether's.

use bellwether_model::parameter::{OwnedParameter, Parameter};

use crate::parameters::{
    DAY, GIB, HOUR, KIB, MIB, MINUTE, SECOND, TIB, Told as _, boolean, bytes, choice, duration,
    fixed, in_groups, integer, number, of_disk, of_memory, owned_by,
};

/// The engine counts its buffers in pages.
const PAGE: f64 = 8.0 * KIB;

/// Every one, in groups.
pub(crate) fn parameters() -> Vec<Parameter> {
    let groups = [
        ("Memory", memory()),
        ("Connections", connections()),
        ("Write-ahead log", log()),
        ("Autovacuum", autovacuum()),
        ("Planner", planner()),
        ("Parallel work", parallel()),
        ("Timeouts", timeouts()),
        ("Logging", logging()),
        ("Statements", statements()),
    ];
    in_groups(groups)
}

fn memory() -> Vec<Parameter> {
    vec![
        bytes("shared_buffers", "Shared buffers", PAGE)
            .range(fixed(16.0 * MIB), of_memory(1.6, 32.0 * MIB, TIB))
            .by_default(of_memory(4.0, 16.0 * MIB, TIB))
            .at_start()
            .about(
                "Memory in which the engine keeps pages of all tables. A quarter of the node's.",
            ),
        bytes("effective_cache_size", "Effective cache size", PAGE)
            .range(fixed(PAGE), of_memory(1.0, MIB, TIB))
            .by_default(of_memory(4.0 / 3.0, 16.0 * MIB, TIB))
            .about("How much the planner believes to be cached; nothing is reserved by it."),
        bytes("work_mem", "Memory of a sort or hash", KIB)
            .range(fixed(64.0 * KIB), of_memory(4.0, MIB, TIB))
            .by_default(fixed(4.0 * MIB))
            .about("Each sort or hash of each statement may take so much before it uses the disk."),
        number("hash_mem_multiplier", "Hash memory multiplier")
            .range(fixed(1.0), fixed(100.0))
            .by_default(fixed(2.0))
            .about("So many times the memory of a sort is what a hash table may take."),
        bytes("maintenance_work_mem", "Memory of maintenance", KIB)
            .range(fixed(MIB), of_memory(2.0, 2.0 * MIB, TIB))
            .by_default(of_memory(16.0, 16.0 * MIB, GIB))
            .about("What building an index or vacuuming a table may take."),
        bytes("autovacuum_work_mem", "Memory of autovacuum", KIB)
            .range(fixed(MIB), of_memory(2.0, 2.0 * MIB, TIB))
            .special(-1, "as maintenance")
            .by_default(fixed(-1.0))
            .about("What each worker of autovacuum may take."),
        bytes("temp_buffers", "Buffers of temporary tables", PAGE)
            .range(fixed(800.0 * KIB), of_memory(4.0, MIB, TIB))
            .by_default(fixed(8.0 * MIB))
            .about("What each session may take for its temporary tables."),
        choice("huge_pages", "Huge pages", &["off", "try", "on"])
            .word("try")
            .at_start()
            .about("Large pages of memory: quicker, where the machine has reserved them."),
        bytes("temp_file_limit", "Limit of temporary files", KIB)
            .range(fixed(MIB), of_disk(1.0, MIB, TIB))
            .special(-1, "no limit")
            .by_default(fixed(-1.0))
            .about("The most disk that one session may take for sorts and hashes."),
    ]
}

fn connections() -> Vec<Parameter> {
    vec![
        // Each connection may take some 5 MB; the processor, not the number, is the limit beyond.
        integer("max_connections", "Connections")
            .range(fixed(20.0), of_memory(MIB, 100.0, 5_000.0))
            .by_default(of_memory(5.0 * MIB, 50.0, 500.0))
            .at_start()
            .ordered()
            .about("How many clients can be connected at once. Each takes memory."),
        integer("max_locks_per_transaction", "Locks of a transaction")
            .range(fixed(10.0), fixed(8_192.0))
            .by_default(fixed(64.0))
            .at_start()
            .ordered()
            .about(
                "Room for locks: raise it where statements touch very many tables or partitions.",
            ),
        integer("max_prepared_transactions", "Two-phase transactions")
            .range(fixed(0.0), fixed(1_000.0))
            .by_default(fixed(0.0))
            .at_start()
            .ordered()
            .about("How many transactions can be prepared for a two-phase commit; 0 forbids them."),
        integer("track_activity_query_size", "Length of statements shown")
            .range(fixed(100.0), fixed(1_048_576.0))
            .by_default(fixed(1_024.0))
            .at_start()
            .about("So many bytes of each running statement can be looked at."),
    ]
}

fn log() -> Vec<Parameter> {
    vec![
        bytes("max_wal_size", "Log between checkpoints", MIB)
            .range(fixed(64.0 * MIB), of_disk(2.0, 64.0 * MIB, TIB))
            .by_default(of_disk(8.0, 128.0 * MIB, 4.0 * GIB))
            .about("A checkpoint is begun when so much log was written. More: fewer checkpoints."),
        bytes("min_wal_size", "Log kept for reuse", MIB)
            .range(fixed(32.0 * MIB), of_disk(8.0, 64.0 * MIB, TIB))
            .by_default(fixed(80.0 * MIB))
            .about("Files of the log that are kept to be written again."),
        duration("checkpoint_timeout", "Time between checkpoints", SECOND)
            .range(fixed(30.0 * SECOND), fixed(HOUR))
            .by_default(fixed(5.0 * MINUTE))
            .about("The longest time between checkpoints. Longer: less writing, slower recovery."),
        number("checkpoint_completion_target", "Spread of a checkpoint")
            .range(fixed(0.1), fixed(1.0))
            .by_default(fixed(0.9))
            .about("The part of the time between checkpoints over which one is spread."),
        choice("wal_compression", "Compression of the log", &["off", "pglz", "lz4", "zstd"])
            .word("off")
            .about("Compresses full pages in the log: less to write and send, more processor."),
        bytes("wal_buffers", "Buffers of the log", PAGE)
            .range(fixed(64.0 * KIB), fixed(256.0 * MIB))
            .by_default(of_memory(128.0, 64.0 * KIB, 16.0 * MIB))
            .at_start()
            .about("Memory for log that is not on the disk yet."),
        duration("wal_writer_delay", "Pause of the log's writer", 1.0)
            .range(fixed(1.0), fixed(10.0 * SECOND))
            .by_default(fixed(200.0))
            .about("Between two rounds of the process that writes log in the background."),
        duration("bgwriter_delay", "Pause of the background writer", 1.0)
            .range(fixed(10.0), fixed(10.0 * SECOND))
            .by_default(fixed(200.0))
            .about("Between two rounds of the process that writes changed pages."),
        integer("bgwriter_lru_maxpages", "Pages of a round")
            .range(fixed(0.0), fixed(100_000.0))
            .by_default(fixed(100.0))
            .about("The most pages the background writer writes in a round; 0 stops it."),
    ]
}

fn autovacuum() -> Vec<Parameter> {
    let workers = || {
        integer("autovacuum_max_workers", "Workers")
            .range(fixed(1.0), fixed(16.0))
            .by_default(fixed(3.0))
            .about("How many tables are vacuumed at once.")
    };
    vec![
        boolean("autovacuum", "Autovacuum", true)
            .about("Vacuums and analyses by itself. Off, tables grow and plans get worse."),
        workers().at_start().only_in(&["15", "17"]),
        workers().only_in(&["18"]),
        duration("autovacuum_naptime", "Pause between rounds", SECOND)
            .range(fixed(SECOND), fixed(HOUR))
            .by_default(fixed(MINUTE))
            .about("Between two looks at a database."),
        integer("autovacuum_vacuum_threshold", "Changed rows before a vacuum")
            .range(fixed(0.0), fixed(2e9))
            .by_default(fixed(50.0))
            .about(
                "So many changed rows at least, and the share below, before a table is vacuumed.",
            ),
        number("autovacuum_vacuum_scale_factor", "Changed share before a vacuum")
            .range(fixed(0.0), fixed(100.0))
            .by_default(fixed(0.2))
            .about("The share of a table's rows that change before it is vacuumed."),
        number("autovacuum_analyze_scale_factor", "Changed share before an analysis")
            .range(fixed(0.0), fixed(100.0))
            .by_default(fixed(0.1))
            .about("The share of a table's rows that change before it is analysed."),
        duration("autovacuum_vacuum_cost_delay", "Pause for others", 1.0)
            .range(fixed(0.0), fixed(100.0))
            .special(-1, "as a vacuum by hand")
            .by_default(fixed(2.0))
            .about("How long a worker pauses each time it has done its measure of work."),
        integer("autovacuum_vacuum_cost_limit", "Work before a pause")
            .range(fixed(1.0), fixed(10_000.0))
            .special(-1, "as a vacuum by hand")
            .by_default(fixed(-1.0))
            .about("The measure of work before a worker pauses. More: quicker, at others' cost."),
    ]
}

fn planner() -> Vec<Parameter> {
    let cost = |name, title, default: f64| {
        number(name, title).range(fixed(0.0), fixed(1e6)).by_default(fixed(default))
    };
    vec![
        cost("random_page_cost", "Cost of a random page", 4.0)
            .about("What a page from anywhere costs. Near 1 on fast disks: more use of indexes."),
        cost("seq_page_cost", "Cost of the next page", 1.0)
            .about("What a page costs that is read in order."),
        cost("cpu_tuple_cost", "Cost of a row", 0.01).about("What looking at a row costs."),
        integer("effective_io_concurrency", "Reads at once")
            .range(fixed(0.0), fixed(1_000.0))
            .by_default(fixed(16.0))
            .about("How many reads the disk is believed to do at once."),
        integer("default_statistics_target", "Detail of statistics")
            .range(fixed(1.0), fixed(10_000.0))
            .by_default(fixed(100.0))
            .about("More: better plans for uneven data, slower analysis."),
        boolean("jit", "Compilation of statements", true)
            .about("Compiles expensive statements. Off helps where many are only somewhat so."),
    ]
}

fn parallel() -> Vec<Parameter> {
    let workers = |name, title, default: f64| {
        integer(name, title).range(fixed(0.0), fixed(1_024.0)).by_default(fixed(default))
    };
    vec![
        integer("max_worker_processes", "Background processes")
            .range(fixed(4.0), fixed(1_024.0))
            .by_default(fixed(8.0))
            .at_start()
            .ordered()
            .about("All processes beside clients: parallel workers and extensions share them."),
        workers("max_parallel_workers", "Parallel workers", 8.0)
            .about("How many of them may work for statements at once."),
        workers("max_parallel_workers_per_gather", "Workers of a statement", 2.0)
            .about("How many may work for one part of a statement; 0 turns it off."),
        workers("max_parallel_maintenance_workers", "Workers of maintenance", 2.0)
            .about("How many may build one index."),
        bytes("min_parallel_table_scan_size", "Table worth workers", PAGE)
            .range(fixed(0.0), fixed(TIB))
            .by_default(fixed(8.0 * MIB))
            .about("Tables that are smaller are read by one process."),
    ]
}

fn timeouts() -> Vec<Parameter> {
    let limit = |name, title| {
        duration(name, title, 1.0)
            .range(fixed(SECOND), fixed(7.0 * DAY))
            .special(0, "no limit")
            .by_default(fixed(0.0))
    };
    vec![
        limit("statement_timeout", "Longest statement")
            .about("A statement that takes longer is cancelled."),
        limit("lock_timeout", "Longest wait for a lock")
            .about("A statement that waits longer for a lock is cancelled."),
        limit("idle_in_transaction_session_timeout", "Longest idle transaction")
            .about("A session that does nothing in an open transaction for longer is ended."),
        limit("idle_session_timeout", "Longest idle session")
            .about("A session that does nothing for longer is ended. Mind pools of connections."),
        duration("deadlock_timeout", "Look for deadlocks after", 1.0)
            .range(fixed(10.0), fixed(HOUR))
            .by_default(fixed(SECOND))
            .about("Waiting for a lock so long is a reason to look whether it is a deadlock."),
    ]
}

fn logging() -> Vec<Parameter> {
    vec![
        duration("log_min_duration_statement", "Log slow statements", 1.0)
            .range(fixed(1.0), fixed(DAY))
            .special(-1, "none")
            .special(0, "every statement")
            .by_default(fixed(-1.0))
            .about("Statements that take longer are in the log, with their values."),
        choice("log_statement", "Log statements by kind", &["none", "ddl", "mod", "all"])
            .word("none")
            .about("Also quick ones. Statements that set a password show it there."),
        boolean("log_lock_waits", "Log waits for locks", false)
            .about("Waits that are long enough to look for a deadlock are in the log."),
        bytes("log_temp_files", "Log temporary files", KIB)
            .range(fixed(KIB), fixed(TIB))
            .special(-1, "none")
            .special(0, "every file")
            .by_default(fixed(-1.0))
            .about("Temporary files that are larger are in the log."),
        duration("log_autovacuum_min_duration", "Log slow autovacuum", 1.0)
            .range(fixed(1.0), fixed(DAY))
            .special(-1, "none")
            .special(0, "every run")
            .by_default(fixed(10.0 * MINUTE))
            .about("Runs of autovacuum that take longer are in the log."),
        boolean("log_checkpoints", "Log checkpoints", true).about("Each checkpoint is in the log."),
        boolean("track_io_timing", "Measure reads and writes", false)
            .about("Statements and statistics tell the time that the disk took."),
    ]
}

fn statements() -> Vec<Parameter> {
    let levels = ["read uncommitted", "read committed", "repeatable read", "serializable"];
    vec![
        choice("default_transaction_isolation", "Isolation of transactions", &levels)
            .word("read committed")
            .about("Where a transaction does not say. Stricter ones may have to be tried again."),
        choice("default_toast_compression", "Compression of large values", &["pglz", "lz4"])
            .word("pglz")
            .about("For values that are written from now on; lz4 is quicker."),
    ]
}

/// Settings that are not a person's to choose: the reason, and their names.
const OWNED: &[(&str, &[&str])] = &[
    (
        "where the engine listens is what the endpoints and the gate rely on",
        &["listen_addresses", "port", "unix_socket_directories", "unix_socket_permissions"],
    ),
    (
        "who may connect, and how, is the cluster's own",
        &["hba_file", "ident_file", "password_encryption", "authentication_timeout"],
    ),
    (
        "certificates are issued and renewed by the cluster's authority",
        &["ssl", "ssl_cert_file", "ssl_key_file", "ssl_ca_file", "ssl_min_protocol_version"],
    ),
    (
        "replication is what a failover relies on; choose the cluster's replication mode",
        &[
            "wal_level",
            "max_wal_senders",
            "max_replication_slots",
            "hot_standby",
            "synchronous_standby_names",
            "synchronous_commit",
            "primary_conninfo",
            "primary_slot_name",
            "recovery_target_timeline",
            "wal_sender_timeout",
            "wal_receiver_timeout",
            "wal_receiver_status_interval",
            "wal_retrieve_retry_interval",
            "wal_keep_size",
            "max_slot_wal_keep_size",
            "idle_replication_slot_timeout",
        ],
    ),
    (
        "no acknowledged write may be lost, and a former primary must be able to come back",
        &["fsync", "full_page_writes", "wal_log_hints", "data_directory", "config_file"],
    ),
    (
        "the agent supervises the engine, and decides when it is started",
        &["restart_after_crash", "allow_alter_system", "superuser_reserved_connections"],
    ),
    (
        "connections to clients that are gone have to end before the primary changes",
        &[
            "tcp_keepalives_idle",
            "tcp_keepalives_interval",
            "tcp_keepalives_count",
            "tcp_user_timeout",
        ],
    ),
    ("it is kept by Bellwether", &["archive_mode", "archive_command", "restore_command"]),
    (
        "which libraries are loaded is part of the engine that was chosen",
        &["shared_preload_libraries", "session_preload_libraries", "local_preload_libraries"],
    ),
    (
        "the agent reads the engine's log to say why it ended",
        &["log_destination", "logging_collector", "log_line_prefix", "log_min_messages"],
    ),
    ("every node keeps UTC, so that times can be compared", &["timezone", "log_timezone"]),
    ("it is set while a disk is full", &["default_transaction_read_only"]),
];

/// Settings that are not a person's to choose, with the reason.
pub(crate) fn owned() -> Vec<OwnedParameter> {
    owned_by(OWNED)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_many_in_every_version() {
        for version in ["15", "17", "18"] {
            let count = parameters().iter().filter(|p| p.is_in(version)).count();
            assert!(count >= 40, "{count} in {version}");
        }
    }
}
