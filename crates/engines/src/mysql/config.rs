//! The engine's configuration file, written whole from the assignment.

use bellwether_protocol::Assignment;

use super::Mysql;
use crate::mysql_family::place::{
    conf, data_in, log_in, root, socket_directory, socket_file, temporary,
};

impl Mysql {
    pub(super) fn text_of_settings(&self, assignment: &Assignment) -> String {
        let disk = assignment.engine.size.disk.0;
        let conf = conf().display();
        let text = format!(
            "# Written by the agent; changes are overwritten.
[mysqld]
user = mysql
datadir = {data}
tmpdir = {temporary}
socket = {socket}
pid-file = {socket_directory}/server.pid
bind-address = *
port = {port}
mysqlx = OFF
skip-name-resolve
ssl-cert = {conf}/engine.pem
ssl-key = {conf}/engine.key
ssl-ca = {conf}/ca.pem
tls-version = TLSv1.2,TLSv1.3
auto-generate-certs = OFF
caching-sha2-password-auto-generate-rsa-keys = OFF
require-secure-transport = ON
local-infile = OFF
secure-file-priv = {temporary}
default-time-zone = +00:00
plugin-load-add = auth_socket.so;semisync_source.so;semisync_replica.so;mysql_clone.so
innodb-buffer-pool-instances = 1
innodb-redo-log-capacity = {redo}M
innodb-flush-log-at-trx-commit = 1
super-read-only = ON
read-only = ON
skip-replica-start = ON
server-id = {server_id}
log-bin = {log}/binlog
relay-log = {log}/relay
log-replica-updates = ON
sync-binlog = 1
max-binlog-size = 64M
gtid-mode = ON
enforce-gtid-consistency = ON
relay-log-recovery = OFF
replica-net-timeout = 4
replica-preserve-commit-order = ON
replica-parallel-workers = 4
rpl-semi-sync-source-wait-point = AFTER_SYNC
rpl-semi-sync-source-timeout = 4294967295
rpl-semi-sync-source-wait-no-replica = ON
",
            data = data_in(root()).display(),
            temporary = temporary().display(),
            socket = socket_file().display(),
            socket_directory = socket_directory().display(),
            port = self.port,
            redo = (disk >> 25).clamp(32, 4096),
            log = log_in(root()).display(),
            server_id = server_id(assignment),
        );
        text + &self.chosen_lines(assignment)
    }
}

/// Another for every node; members have ordinals of their own.
fn server_id(assignment: &Assignment) -> u32 {
    assignment.group.member(&assignment.node).map_or(1, |own| own.ordinal + 1)
}
