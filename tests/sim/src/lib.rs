//! The real decisions over a simulated world: the server's loops, the sentries and the workers run
//! as they are; clock, network, disks, machines and the engine are models that go wrong on purpose.
//! A seed reproduces everything.

pub mod check;
pub mod clients;
pub mod driver;
pub mod engine;
pub mod faults;
pub mod hands;
pub mod hub;
pub mod machine;
pub mod net;
pub mod provider;
pub mod run;
pub mod server;
pub mod sessions;
pub mod settings;
pub mod streams;
pub mod trace;
pub mod watch;
