//! The engine's configuration files, written whole from the assignment.

use bellwether_contracts::Failure;
use bellwether_model::Bytes;
use bellwether_protocol::Assignment;

use super::probe::NOBODY;
use super::{Kind, REPLICATION_USER, Redis, conf, shards, socket};

/// What changed in the files.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Changed {
    pub(super) identity: bool,
    pub(super) users: bool,
}

/// Between two pings to replicas, in seconds: so soon they notice a primary that says nothing.
pub(super) const PING_SECONDS: &str = "1";

impl Redis {
    pub(super) fn write_config(&self, assignment: &Assignment) -> Result<Changed, Failure> {
        let user = self.kind.user();
        user.own_directory(conf())?;
        user.own_directory(socket())?;
        let identity = user.take_identity(conf())?;
        let users = self.write_users(assignment)?;
        let settings = settings(self.kind, assignment) + &self.chosen_lines(assignment);
        user.write(&conf().join("engine.conf"), settings.as_bytes())?;
        Ok(Changed { identity, users })
    }
}

/// For the data: the rest is for what clients send and are sent, for the replication backlog, and
/// for pages that change while a child writes the data down.
pub(super) fn memory_for_data(memory: Bytes) -> u64 {
    memory.0 / 100 * 60
}

fn settings(kind: Kind, assignment: &Assignment) -> String {
    let directory = conf().display();
    let memory = assignment.engine.size.memory;
    let mut text = format!(
        "# Written by the agent; changes are overwritten.
bind * -::*
protected-mode no
port 0
tls-port {port}
tls-cert-file {directory}/engine.pem
tls-key-file {directory}/engine.key
tls-ca-cert-file {directory}/ca.pem
tls-auth-clients no
tls-protocols \"TLSv1.2 TLSv1.3\"
tls-replication yes
unixsocket {socket}/engine.sock
unixsocketperm 700
aclfile {directory}/users.acl
masterauth {password}
replica-read-only yes
replica-serve-stale-data yes
replica-ignore-maxmemory yes
repl-diskless-sync yes
repl-diskless-sync-delay 0
repl-diskless-load disabled
repl-backlog-size {backlog}
repl-backlog-ttl 0
repl-timeout 10
repl-ping-replica-period {PING_SECONDS}
client-output-buffer-limit replica {replica_buffer} {replica_buffer} 0
maxmemory {data}
tcp-keepalive 5
daemonize no
databases 16
save \"\"
appendonly yes
appendfilename appendonly.aof
aof-load-truncated yes
aof-use-rdb-preamble yes
",
        port = assignment.engine.ports.private,
        socket = socket().display(),
        password = assignment.secrets.replication_password,
        backlog = (memory.0 / 16).clamp(1 << 20, 256 << 20),
        replica_buffer = (memory.0 / 8).max(32 << 20),
        data = memory_for_data(memory),
    );
    if assignment.sharding.is_some() {
        text += &shards::settings(assignment);
    } else {
        let (nobody, port) = NOBODY;
        text += &format!("masteruser {REPLICATION_USER}\nreplicaof {nobody} {port}\n");
    }
    if kind != Kind::KeyDb {
        text += "appenddirname appendonlydir\nshutdown-timeout 10\n";
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_gets_a_share_of_the_memory() {
        assert_eq!(memory_for_data(Bytes(1_000)), 600);
    }
}
