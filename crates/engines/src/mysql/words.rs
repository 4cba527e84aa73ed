//! MySQL's words.

use bellwether_model::replication::Position;
use mysql_async::Row;

use super::gtid::Set;
use super::profile;
use crate::mysql_family::session::{number, text};
use crate::mysql_family::words::Words;

pub(super) static WORDS: Words = Words {
    process: "mysqld",
    program: "/usr/sbin/mysqld",
    logged: "SELECT @@global.gtid_executed AS logged, \
             (SELECT MAX(term) FROM bellwether.terms) AS term",
    place,
    replica_status: "SHOW REPLICA STATUS",
    received: |row| {
        let executed = Set::parse(&text(row, "Executed_Gtid_Set").unwrap_or_default());
        let retrieved = Set::parse(&text(row, "Retrieved_Gtid_Set").unwrap_or_default());
        Position { timeline: 0, offset: executed.with(&retrieved).count() }
    },
    applied: |row| {
        let executed = Set::parse(&text(row, "Executed_Gtid_Set").unwrap_or_default());
        Position { timeline: 0, offset: executed.count() }
    },
    source_host: "Source_Host",
    is_receiving: "Replica_IO_Running",
    is_applying: "Replica_SQL_Running",
    read_file: "Source_Log_File",
    read_place: "Read_Source_Log_Pos",
    heartbeats: Some(
        "SELECT CAST(SUM(COUNT_RECEIVED_HEARTBEATS) AS UNSIGNED) AS beats \
         FROM performance_schema.replication_connection_status",
    ),
    stop_receiving: "STOP REPLICA IO_THREAD",
    start_receiving: "START REPLICA IO_THREAD",
    stop: "STOP REPLICA",
    reset: "RESET REPLICA ALL",
    read_certificate: "ALTER INSTANCE RELOAD TLS",
    requires_setting: "rpl_semi_sync_source_enabled",
    confirms_setting: "rpl_semi_sync_replica_enabled",
    confirms: "SELECT @@global.rpl_semi_sync_replica_enabled AS enabled, \
               (SELECT VARIABLE_VALUE FROM performance_schema.global_status \
                WHERE VARIABLE_NAME = 'Rpl_semi_sync_replica_status') AS status",
    introduction: "SET @rpl_semi_sync_replica = 1, \
                   @source_binlog_checksum = @@global.binlog_checksum, \
                   @source_heartbeat_period = 300000000",
    pool_share: profile::POOL_SHARE,
    running_ms: "p.TIME * 1000",
    bytes: "SELECT CAST(SUM(FILE_SIZE) AS UNSIGNED) AS bytes \
            FROM information_schema.INNODB_TABLESPACES",
    users: "SELECT User AS name FROM mysql.user WHERE User LIKE 'bellwether\\_replica\\_%'",
    unfence: Some(["SET GLOBAL super_read_only = OFF", "SET GLOBAL super_read_only = ON"]),
    count_setting: Some("rpl_semi_sync_source_wait_for_replica_count"),
    // Without, it fails where none of the rights is there.
    revoke: "REVOKE IF EXISTS",
    further_rights: &[],
    of_group: None,
    read_certificate_of_group: None,
    lock_logins: "UPDATE mysql.user SET account_locked = 'Y' WHERE Host = '%' AND User IN \
                  (SELECT name FROM bellwether.kept WHERE kind = 'login')",
    log: &super::binlog::FORMAT,
    log_reader: "mysqlbinlog",
    client: "mysql",
    alone: &[
        "--skip-replica-start",
        "--mysqlx=OFF",
        "--gtid-mode=ON",
        "--enforce-gtid-consistency=ON",
        "--secure-file-priv=NULL",
        "--plugin-load-add=auth_socket.so",
    ],
};

/// The last term that the data knows of, and how many transactions it holds.
fn place(row: &Row) -> Position {
    let executed = Set::parse(&text(row, "logged").unwrap_or_default());
    Position { timeline: number(row, "term").unwrap_or_default(), offset: executed.count() }
}
