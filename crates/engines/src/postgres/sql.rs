//! One kept connection of the agent to its engine, over the Unix socket.

use std::time::Duration;

use bellwether_contracts::Failure;
use tokio::sync::Mutex;
use tokio_postgres::{Client, Config, NoTls, Row};

use super::socket;

/// A statement of the agent takes at most so long, unless it says otherwise.
const STATEMENT_MAX: Duration = Duration::from_secs(2);

/// No wait of the agent is for a replica's confirmation, none of its work for room, and none of its
/// questions for the log.
const OPTIONS: &str = "-c synchronous_commit=local -c statement_timeout=0 -c lock_timeout=0 \
                       -c idle_session_timeout=0 -c default_transaction_read_only=off \
                       -c log_min_duration_statement=-1 -c log_statement=none";

/// Opening a connection.
const CONNECT_MAX: Duration = Duration::from_secs(1);

pub(super) struct Session {
    port: u16,
    client: Mutex<Option<Client>>,
}

impl Session {
    pub(super) fn new(port: u16) -> Self {
        Self { port, client: Mutex::default() }
    }

    /// Lets go of the connection.
    pub(super) async fn forget(&self) {
        *self.client.lock().await = None;
    }

    async fn connect(&self, options: &str) -> Result<Client, Failure> {
        self.connect_to("postgres", options).await
    }

    /// A connection of its own to that database, for work that takes long.
    pub(super) async fn open(&self, database: &str, options: &str) -> Result<Client, Failure> {
        self.connect_to(database, &format!("{OPTIONS} {options}")).await
    }

    async fn connect_to(&self, database: &str, options: &str) -> Result<Client, Failure> {
        let mut config = Config::new();
        config
            .host_path(socket())
            .port(self.port)
            .user("postgres")
            .dbname(database)
            .application_name("bellwether-agent")
            .options(options);
        let connecting = tokio::time::timeout(CONNECT_MAX, config.connect(NoTls));
        let (client, connection) = match connecting.await {
            Ok(Ok(pair)) => pair,
            Ok(Err(error)) => return Err(of(&error)),
            Err(_) => return Err(Failure::transient("the engine does not answer")),
        };
        tokio::spawn(connection);
        Ok(client)
    }

    /// Runs a query; a connection that broke is made anew the next time.
    pub(super) async fn query(&self, text: &str) -> Result<Vec<Row>, Failure> {
        self.with(STATEMENT_MAX, |client| {
            let text = text.to_owned();
            Box::pin(async move { client.query(&text, &[]).await })
        })
        .await
    }

    /// Runs a query in a session that is like a client's: the settings it sees are everybody's.
    pub(super) async fn query_as_client(&self, text: &str) -> Result<Vec<Row>, Failure> {
        let client = self.connect("").await?;
        match tokio::time::timeout(STATEMENT_MAX, client.query(text, &[])).await {
            Ok(rows) => rows.map_err(|error| of(&error)),
            Err(_) => Err(Failure::transient("the engine does not answer")),
        }
    }

    /// Runs statements without results.
    pub(super) async fn execute(&self, text: &str, limit: Duration) -> Result<(), Failure> {
        self.with(limit, |client| {
            let text = text.to_owned();
            Box::pin(async move { client.batch_execute(&text).await })
        })
        .await
    }

    async fn with<T>(
        &self,
        limit: Duration,
        run: impl for<'a> FnOnce(
            &'a Client,
        ) -> std::pin::Pin<
            Box<dyn Future<Output = Result<T, tokio_postgres::Error>> + Send + 'a>,
        >,
    ) -> Result<T, Failure> {
        let mut slot = self.client.lock().await;
        let client = match slot.take().filter(|client| !client.is_closed()) {
            Some(client) => client,
            None => self.connect(OPTIONS).await?,
        };
        let result = tokio::time::timeout(limit, run(&client)).await;
        match result {
            Ok(Ok(value)) => {
                *slot = Some(client);
                Ok(value)
            }
            Ok(Err(error)) => {
                if !client.is_closed() {
                    *slot = Some(client);
                }
                Err(of(&error))
            }
            Err(_) => Err(Failure::transient("the engine does not answer")),
        }
    }
}

pub(super) fn of(error: &tokio_postgres::Error) -> Failure {
    match error.as_db_error() {
        Some(said) => Failure::transient(format!("the engine says: {}", said.message())),
        None => Failure::transient(format!("the engine: {error}")),
    }
}
