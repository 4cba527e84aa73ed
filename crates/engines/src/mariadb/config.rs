//! The engine's configuration file, written whole from the assignment.

use bellwether_protocol::Assignment;

use super::{Mariadb, group};
use crate::mysql_family::place::{
    conf, data_in, log_in, root, socket_directory, socket_file, temporary,
};

impl Mariadb {
    pub(super) fn text_of_settings(&self, assignment: &Assignment) -> String {
        let disk = assignment.engine.size.disk.0;
        let text = format!(
            "# Written by the agent; changes are overwritten.
[mariadbd]
user = mysql
datadir = {data}
tmpdir = {temporary}
socket = {socket}
pid-file = {socket_directory}/server.pid
bind-address = *
port = {port}
skip-name-resolve
ssl-cert = {conf}/engine.pem
ssl-key = {conf}/engine.key
ssl-ca = {conf}/ca.pem
tls-version = TLSv1.2,TLSv1.3
require-secure-transport = ON
local-infile = OFF
secure-file-priv = {temporary}
default-time-zone = +00:00
character-set-server = utf8mb4
performance-schema = OFF
innodb-log-file-size = {redo}M
innodb-flush-log-at-trx-commit = 1
{role}",
            conf = conf().display(),
            data = data_in(root()).display(),
            temporary = temporary().display(),
            socket = socket_file().display(),
            socket_directory = socket_directory().display(),
            port = self.port,
            redo = (disk >> 25).clamp(16, 2048),
            role = match assignment.multi_primary {
                true => group::lines(assignment, conf()),
                false => replication_lines(disk),
            },
        );
        let text = text + &self.chosen_lines(assignment);
        if assignment.multi_primary { text + &group::copy_lines(conf()) } else { text }
    }
}

/// Fenced when it starts, with a log for replicas.
fn replication_lines(disk: u64) -> String {
    format!(
        "read-only = ON
skip-slave-start = ON
log-bin = {log}/binlog
relay-log = {log}/relay
log-slave-updates = ON
binlog-format = ROW
sync-binlog = 1
max-binlog-size = 64M
max-binlog-total-size = {binlog}
slave-connections-needed-for-purge = 0
gtid-domain-id = 0
gtid-strict-mode = ON
relay-log-recovery = OFF
slave-net-timeout = 4
slave-parallel-mode = optimistic
slave-parallel-threads = 4
slave-max-allowed-packet = 1G
rpl-semi-sync-master-wait-point = AFTER_SYNC
rpl-semi-sync-master-timeout = 4294967295
rpl-semi-sync-master-wait-no-slave = ON
rpl-semi-sync-slave-kill-conn-timeout = 1
",
        log = log_in(root()).display(),
        binlog = (disk / 4).max(256 << 20),
    )
}
