//! The engine's configuration files, written whole from the assignment.

use std::fmt::Write as _;

use bellwether_contracts::Failure;
use bellwether_protocol::Assignment;
use bellwether_protocol::assignment::Member;
use bellwether_protocol::local::ENDPOINT_SOURCE;

use super::{
    OS_USER, PROBE_USER, Postgres, REPLICATION_USER, REWIND_USER, TIMELINE, conf, data, room, slot,
    socket,
};

/// A name no replica has: who waits for it waits until the configuration changes.
const NOBODY: &str = "__none__";

impl Postgres {
    /// Writes every file but the one on whom to follow; whether one changed.
    pub(super) fn write_config(&self, assignment: &Assignment) -> Result<bool, Failure> {
        self.write_config_above(assignment, &[])
    }

    /// The same, with values that are not to be below these: what a replica's data demands.
    pub(super) fn write_config_above(
        &self,
        assignment: &Assignment,
        floors: &[(String, String)],
    ) -> Result<bool, Failure> {
        self.note_settings(assignment);
        let directory = conf();
        OS_USER.own_directory(directory)?;
        OS_USER.own_directory(socket())?;
        let mut changed = OS_USER.take_identity(directory)?;
        changed |= OS_USER.write(&directory.join("hba.conf"), hba(assignment).as_bytes())?;
        let ident = "agent root postgres\nagent postgres postgres\n";
        changed |= OS_USER.write(&directory.join("ident.conf"), ident.as_bytes())?;
        changed |= OS_USER.write(&directory.join("passfile"), passfile(assignment).as_bytes())?;
        let settings = self.settings(assignment, floors);
        changed |= OS_USER.write(&directory.join("postgresql.conf"), settings.as_bytes())?;
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
        OS_USER.write(&conf().join("upstream.conf"), text.as_bytes())
    }

    fn settings(&self, assignment: &Assignment, floors: &[(String, String)]) -> String {
        let directory = conf().display();
        let wal_disk = assignment.engine.size.disk.0 / 4;
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
recovery_target_timeline = {timeline}
synchronous_standby_names = '{sync}'
",
            port = self.port,
            socket = socket().display(),
            slot_keep = (wal_disk >> 20).max(256),
            timeline = target_timeline(),
            sync = synchronous_names(assignment),
        );
        text += &self.settings_by_version();
        text += &self.flavour.lines();
        text += &self.chosen_lines(assignment, floors);
        let _ = writeln!(text, "include '{directory}/upstream.conf'");
        let _ = writeln!(text, "include_if_exists '{}'", room::setting().display());
        text
    }

    /// Settings only some versions have.
    fn settings_by_version(&self) -> String {
        let major: u32 = self.version.parse().unwrap_or(17);
        let mut text = String::new();
        if major >= 17 {
            text += "allow_alter_system = off\n";
        }
        if major >= 18 {
            text += "idle_replication_slot_timeout = 0\n";
        }
        text
    }
}

/// The timeline that recovery follows: the newest that there is, but for data that was restored to
/// a moment. Its timelines have numbers between which others are missing, and the engine would not
/// look beyond those.
fn target_timeline() -> String {
    let named = std::fs::read_to_string(data().join(TIMELINE)).ok();
    let number = named.and_then(|text| text.trim().parse::<u64>().ok());
    number.map_or_else(|| "latest".to_owned(), |number| number.to_string())
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

impl Postgres {
    /// Remembers who the members are.
    pub(super) fn note_members(&self, assignment: &Assignment) {
        *self.members.lock().expect("nothing panics while it is held") =
            assignment.group.members.clone();
    }
}
