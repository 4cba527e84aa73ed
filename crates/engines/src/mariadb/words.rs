//! MariaDB's words.

use mysql_async::Row;

use super::{gtid, profile};
use crate::mysql_family::session::text;
use crate::mysql_family::words::Words;

pub(super) static WORDS: Words = Words {
    process: "mariadbd",
    program: "/usr/sbin/mariadbd",
    logged: "SELECT @@global.gtid_binlog_pos AS logged",
    place: |row| ids(row, "logged"),
    replica_status: "SHOW ALL SLAVES STATUS",
    received: |row| ids(row, "Gtid_IO_Pos"),
    applied: |row| ids(row, "Gtid_Slave_Pos"),
    source_host: "Master_Host",
    is_receiving: "Slave_IO_Running",
    is_applying: "Slave_SQL_Running",
    read_file: "Master_Log_File",
    read_place: "Read_Master_Log_Pos",
    heartbeats: None,
    stop_receiving: "STOP SLAVE IO_THREAD",
    start_receiving: "START SLAVE IO_THREAD",
    stop: "STOP SLAVE",
    reset: "RESET SLAVE ALL",
    read_certificate: "FLUSH LOCAL SSL",
    requires_setting: "rpl_semi_sync_master_enabled",
    confirms_setting: "rpl_semi_sync_slave_enabled",
    confirms: "SELECT @@global.rpl_semi_sync_slave_enabled AS enabled, \
               (SELECT VARIABLE_VALUE FROM information_schema.GLOBAL_STATUS \
                WHERE VARIABLE_NAME = 'RPL_SEMI_SYNC_SLAVE_STATUS') AS status",
    introduction: "SET @rpl_semi_sync_slave = 1, @mariadb_slave_capability = 4, \
                   @master_binlog_checksum = @@global.binlog_checksum, \
                   @master_heartbeat_period = 300000000",
    pool_share: profile::POOL_SHARE,
    running_ms: "p.TIME_MS",
    bytes: "SELECT CAST(SUM(FILE_SIZE) AS UNSIGNED) AS bytes \
            FROM information_schema.INNODB_SYS_TABLESPACES",
    users: "SELECT User AS name FROM mysql.global_priv WHERE User LIKE 'bellwether\\_replica\\_%'",
    unfence: None,
    count_setting: None,
    revoke: "REVOKE",
    further_rights: &["DELETE HISTORY"],
    of_group: Some("SET SESSION wsrep_dirty_reads = ON"),
    read_certificate_of_group: Some("SET GLOBAL wsrep_provider_socket_ssl_reload = ON"),
    lock_logins: "UPDATE mysql.global_priv SET Priv = JSON_SET(Priv, '$.account_locked', true) \
                  WHERE Host = '%' AND User IN \
                  (SELECT name FROM bellwether.kept WHERE kind = 'login')",
    log: &super::binlog::FORMAT,
    log_reader: "mariadb-binlog",
    client: "mariadb",
    alone: &["--skip-slave-start"],
};

fn ids(row: &Row, column: &str) -> bellwether_model::replication::Position {
    gtid::position(&text(row, column).unwrap_or_default())
}
