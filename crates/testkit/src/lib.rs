//! For tests and benches: a real server with real clusters, and a writer whose history is checked.

pub mod api;
pub mod docker;
pub mod faults;
pub mod history;
pub mod load;
pub mod mysql;
pub mod ports;
pub mod redis;
pub mod s3;
pub mod server;
pub mod sql;
pub mod ssh_host;
pub mod tls;
pub mod wait;
pub mod writer;

pub use api::Api;
pub use history::History;
pub use load::Load;
pub use mysql::MysqlWriter;
pub use redis::RedisWriter;
pub use server::Server;
pub use sql::Writer;
