//! The engine's configuration files, written whole from the assignment.

use std::fmt::Write as _;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::Path;

use bellwether_contracts::Failure;
use bellwether_model::Bytes;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use bellwether_protocol::local::ENDPOINT_SOURCE;

use super::{
    PROBE_USER, Postgres, REPLICATION_USER, REWIND_USER, conf, process, room, slot, socket,
};

/// Where the agent keeps what the authority signed.
pub(super) const IDENTITY: &str = "/var/lib/bellwether/identity";

/// A name no replica has: who waits for it waits until the configuration changes.
const NOBODY: &str = "__none__";

impl Postgres {
    /// Writes every file but the one on whom to follow; whether one changed.
    pub(super) fn write_config(&self, assignment: &Assignment) -> Result<bool, Failure> {
        let directory = conf();
        process::own_directory(directory)?;
        process::own_directory(socket())?;
        let mut changed = false;
        for name in ["engine.pem", "engine.key", "ca.pem"] {
            let from = Path::new(IDENTITY).join(name);
            let content = std::fs::read(&from).map_err(|e| at(&from, &e))?;
            changed |= write(&directory.join(name), &content)?;
        }
        changed |= write(&directory.join("hba.conf"), hba(assignment).as_bytes())?;
        let ident = "agent root postgres\nagent postgres postgres\n";
        changed |= write(&directory.join("ident.conf"), ident.as_bytes())?;
        changed |= write(&directory.join("passfile"), passfile(assignment).as_bytes())?;
        changed |= write(&directory.join("postgresql.conf"), self.settings(assignment).as_bytes())?;
        if !directory.join("upstream.conf").exists() {
            self.write_upstream(assignment, None)?;
        }
        Ok(changed)
    }

    /// Writes on whom to follow; whether it changed.
    pub(super) fn write_upstream(
        &self,
        assignment: &Assignment,
        upstream: Option<&Member>,
    ) -> Result<bool, Failure> {
        let own = assignment.group.member(&assignment.node);
        let text = match (upstream, own) {
            (Some(upstream), Some(own)) => {
                let conninfo = conninfo(assignment, upstream, REPLICATION_USER);
                format!(
                    "primary_conninfo = '{} application_name={}'\nprimary_slot_name = '{}'\n",
                    conninfo.replace('\'', "''"),
                    own.name,
                    slot(own)
                )
            }
            _ => "primary_conninfo = ''\nprimary_slot_name = ''\n".to_owned(),
        };
        write(&conf().join("upstream.conf"), text.as_bytes())
    }

    fn settings(&self, assignment: &Assignment) -> String {
        let memory = assignment.engine.size.memory;
        let directory = conf().display();
        let wal_disk = assignment.engine.size.disk.0 / 4;
        let connections = connections(memory);
        let mut text = format!(
            "# Written by the agent; changes are overwritten.
listen_addresses = '*'
port = {port}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
hba_file = '{directory}/hba.conf'
ident_file = '{directory}/ident.conf'
ssl = on
ssl_cert_file = '{directory}/engine.pem'
ssl_key_file = '{directory}/engine.key'
ssl_ca_file = '{directory}/ca.pem'
ssl_min_protocol_version = 'TLSv1.2'
password_encryption = 'scram-sha-256'
timezone = 'UTC'
log_timezone = 'UTC'
log_line_prefix = '%m [%p] %q%u@%d '
max_connections = {connections}
shared_buffers = {shared}MB
effective_cache_size = {cache}MB
maintenance_work_mem = {maintenance}MB
wal_level = replica
max_wal_senders = 16
max_replication_slots = 16
hot_standby = on
wal_log_hints = on
full_page_writes = on
fsync = on
synchronous_commit = on
restart_after_crash = off
wal_sender_timeout = 3s
wal_receiver_timeout = 3s
wal_receiver_status_interval = 1s
wal_retrieve_retry_interval = 200ms
tcp_keepalives_idle = 2
tcp_keepalives_interval = 1
tcp_keepalives_count = 3
tcp_user_timeout = 5s
wal_keep_size = '256MB'
max_slot_wal_keep_size = '{slot_keep}MB'
max_wal_size = '{max_wal}MB'
checkpoint_completion_target = 0.9
recovery_target_timeline = latest
synchronous_standby_names = '{sync}'
",
            port = self.port,
            socket = socket().display(),
            shared = memory.0 >> 22,
            cache = (memory.0 * 3) >> 22,
            maintenance = (memory.0 >> 24).clamp(16, 1024),
            slot_keep = (wal_disk >> 20).max(256),
            max_wal = (wal_disk >> 21).clamp(128, 4096),
            sync = synchronous_names(assignment),
        );
        text += &self.settings_by_version(assignment);
        let _ = writeln!(text, "include '{directory}/upstream.conf'");
        let _ = writeln!(text, "include_if_exists '{}'", room::setting().display());
        text
    }

    /// Settings only some versions have, and the user's own.
    fn settings_by_version(&self, assignment: &Assignment) -> String {
        let major: u32 = self.version.parse().unwrap_or(17);
        let mut text = String::new();
        if major >= 17 {
            text += "allow_alter_system = off\n";
        }
        if major >= 18 {
            text += "idle_replication_slot_timeout = 0\n";
        }
        for (name, value) in &assignment.engine.parameters {
            let _ = writeln!(text, "{name} = '{}'", value.replace('\'', "''"));
        }
        text
    }
}

/// Each connection may take some 5 MB; the processor, not the number, is the limit beyond 500.
fn connections(memory: Bytes) -> u64 {
    (memory.0 / (5 << 20)).clamp(50, 500)
}

/// Who has to confirm a commit. While the configuration changes it is the next one's: what is
/// acknowledged under either is covered, for an election has to satisfy both.
pub(super) fn synchronous_names(assignment: &Assignment) -> String {
    let joint = &assignment.group.config;
    let config = joint.next.as_ref().unwrap_or(&joint.current);
    if config.acks == 0 {
        return String::new();
    }
    let mut names: Vec<String> = config
        .voters
        .iter()
        .filter_map(|node| assignment.group.member(node))
        .map(|member| format!("\"{}\"", member.name))
        .collect();
    names.sort();
    let missing = (config.acks as usize).saturating_sub(names.len());
    if missing > 0 {
        names.push(format!("\"{NOBODY}\""));
        names.extend((1..missing).map(|n| format!("\"{NOBODY}{n}\"")));
    }
    format!("ANY {} ({})", config.acks, names.join(", "))
}

/// How this node's engine reaches another's; the password comes from the password file.
pub(super) fn conninfo(assignment: &Assignment, to: &Member, user: &str) -> String {
    let directory = conf().display();
    format!(
        "host={} hostaddr={} port={} user={user} sslmode=verify-full \
         sslrootcert={directory}/ca.pem passfile={directory}/passfile connect_timeout=2 \
         keepalives_idle=2 keepalives_interval=1 keepalives_count=3 tcp_user_timeout=4000",
        to.name, to.address, assignment.engine.ports.private
    )
}

fn passfile(assignment: &Assignment) -> String {
    let secrets = &assignment.secrets;
    format!(
        "*:*:*:{REPLICATION_USER}:{}\n*:*:*:{REWIND_USER}:{}\n",
        secrets.replication_password, secrets.rewind_password
    )
}

/// Over the socket the agent; over TLS, from members, replication and rewinding; over TLS, clients,
/// and those whose TLS ends at this node's own endpoint.
fn hba(assignment: &Assignment) -> String {
    let mut text = "local all postgres peer map=agent\nlocal all all reject\n".to_owned();
    for member in &assignment.group.members {
        for (address, bits) in [(&member.address, 32), (&member.address6, 128)] {
            if address.is_empty() {
                continue;
            }
            let _ = writeln!(
                text,
                "hostssl replication {REPLICATION_USER} {address}/{bits} scram-sha-256\n\
                 hostssl postgres {REWIND_USER},{PROBE_USER} {address}/{bits} scram-sha-256"
            );
        }
    }
    let _ = write!(
        text,
        "hostnossl postgres {PROBE_USER} {ENDPOINT_SOURCE}/32 scram-sha-256\n\
         host all {REPLICATION_USER},{REWIND_USER},{PROBE_USER},postgres all reject\n\
         host replication all all reject\n\
         hostssl all all all scram-sha-256\n\
         hostnossl all all {ENDPOINT_SOURCE}/32 scram-sha-256\n\
         hostnossl all all all reject\n"
    );
    text
}

/// Replaces a file of the engine's if its content differs; whether it did.
pub(super) fn write(path: &Path, content: &[u8]) -> Result<bool, Failure> {
    if std::fs::read(path).is_ok_and(|known| known == content) {
        return Ok(false);
    }
    let new = path.with_extension("new");
    let _ = std::fs::remove_file(&new);
    let mut options = std::fs::OpenOptions::new();
    let file = options.write(true).create_new(true).mode(0o600).open(&new);
    let mut file = file.map_err(|e| at(&new, &e))?;
    std::io::Write::write_all(&mut file, content).map_err(|e| at(&new, &e))?;
    file.set_permissions(std::fs::Permissions::from_mode(0o600)).map_err(|e| at(&new, &e))?;
    process::give_to_engine(&new)?;
    file.sync_all().map_err(|e| at(&new, &e))?;
    std::fs::rename(&new, path).map_err(|e| at(path, &e))?;
    Ok(true)
}

/// A failure of the file system, in words.
pub(super) fn at(path: &Path, error: &std::io::Error) -> Failure {
    match error.kind() {
        std::io::ErrorKind::StorageFull => Failure::needs_person(format!(
            "the node's disk is full ({}); make it larger or free some space",
            path.display()
        )),
        _ => Failure::transient(format!("{}: {error}", path.display())),
    }
}

impl Postgres {
    /// Remembers who the members are.
    pub(super) fn note_members(&self, assignment: &Assignment) {
        *self.members.lock().expect("nothing panics while it is held") =
            assignment.group.members.clone();
    }
}
