//! One kept connection: of the agent to its own engine over the Unix socket, or to another member's
//! over TLS.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use bellwether_contracts::Failure;
use bellwether_protocol::assignment::Member;
use mysql_async::prelude::Queryable as _;
use mysql_async::{Conn, Error, Opts, OptsBuilder, Row, SslOpts};
use tokio::sync::Mutex;

use super::REPLICATION_USER;
use super::place::{conf, socket_file};

/// A statement of the agent takes at most so long, unless it says otherwise.
const STATEMENT_MAX: Duration = Duration::from_secs(2);

/// Opening a connection.
const CONNECT_MAX: Duration = Duration::from_secs(1);

/// Both of these the library would ask the engine for otherwise.
const PACKET_BYTES_MAX: usize = 16 << 20;
const WAIT_SECONDS_MAX: usize = 8 * 3_600;

pub(crate) struct Session {
    opts: Opts,
    connection: Mutex<Option<Conn>>,
}

impl Session {
    /// To the node's own engine, as its superuser.
    pub(crate) fn local() -> Self {
        Self::at(&socket_file())
    }

    /// The same for one that says something first.
    pub(crate) fn local_saying(first: Option<&str>) -> Self {
        let socket = socket_file().to_string_lossy().into_owned();
        let first = first.into_iter().collect::<Vec<_>>();
        Self::with(common().user(Some("root")).socket(Some(socket)).init(first))
    }

    /// To the engine at that socket, as its superuser.
    pub(crate) fn at(socket: &Path) -> Self {
        let socket = socket.to_string_lossy().into_owned();
        Self::with(common().user(Some("root")).socket(Some(socket)))
    }

    /// To another member's engine, which proves its name.
    pub(crate) fn to_member(member: &Member, port: u16, password: &str) -> Self {
        let authority = conf().join("ca.pem");
        let tls = SslOpts::default()
            .with_root_certs(vec![authority.into()])
            .with_disable_built_in_roots(true);
        let addresses: Vec<IpAddr> = member.address.parse().into_iter().collect();
        let opts = common()
            .user(Some(REPLICATION_USER))
            .pass(Some(password))
            .ip_or_hostname(member.name.clone())
            .resolved_ips(Some(addresses))
            .tcp_port(port)
            .ssl_opts(Some(tls));
        Self::with(opts)
    }

    fn with(opts: OptsBuilder) -> Self {
        Self { opts: opts.into(), connection: Mutex::default() }
    }

    /// Lets go of the connection.
    pub(crate) async fn forget(&self) {
        *self.connection.lock().await = None;
    }

    async fn connect(&self) -> Result<Conn, Failure> {
        match tokio::time::timeout(CONNECT_MAX, Conn::new(self.opts.clone())).await {
            Ok(result) => result.map_err(|error| of(&error)),
            Err(_) => Err(Failure::transient("the engine does not answer")),
        }
    }

    /// Runs a query; a connection that broke is made anew the next time.
    pub(crate) async fn query(&self, text: &str) -> Result<Vec<Row>, Failure> {
        self.query_within(text, STATEMENT_MAX).await
    }

    pub(crate) async fn query_within(
        &self,
        text: &str,
        limit: Duration,
    ) -> Result<Vec<Row>, Failure> {
        let mut slot = self.connection.lock().await;
        let mut connection = match slot.take() {
            Some(connection) => connection,
            None => self.connect().await?,
        };
        let result = tokio::time::timeout(limit, connection.query::<Row, _>(text)).await;
        match result {
            Ok(Ok(rows)) => {
                *slot = Some(connection);
                Ok(rows)
            }
            Ok(Err(error)) => {
                if matches!(error, Error::Server(_)) {
                    *slot = Some(connection);
                }
                Err(of(&error))
            }
            Err(_) => Err(Failure::transient("the engine does not answer")),
        }
    }

    /// Runs statements, one after the other; the first that fails ends it.
    pub(crate) async fn execute(&self, statements: &[&str]) -> Result<(), Failure> {
        self.execute_within(statements, STATEMENT_MAX).await
    }

    pub(crate) async fn execute_within(
        &self,
        statements: &[&str],
        limit: Duration,
    ) -> Result<(), Failure> {
        for statement in statements {
            self.query_within(statement, limit).await?;
        }
        Ok(())
    }
}

fn common() -> OptsBuilder {
    OptsBuilder::default()
        .prefer_socket(false)
        .max_allowed_packet(Some(PACKET_BYTES_MAX))
        .wait_timeout(Some(WAIT_SECONDS_MAX))
        .stmt_cache_size(0)
}

fn of(error: &Error) -> Failure {
    match error {
        Error::Server(said) => Failure::transient(format!("the engine says: {}", said.message)),
        other => Failure::transient(format!("the engine: {other}")),
    }
}

/// A column as text; none where it is not there or says nothing.
pub(crate) fn text(row: &Row, column: &str) -> Option<String> {
    let value: Option<String> = row.get_opt(column)?.ok()?;
    value
}

/// A column as a number that is not negative.
pub(crate) fn number(row: &Row, column: &str) -> Option<u64> {
    text(row, column)?.trim().parse().ok()
}
