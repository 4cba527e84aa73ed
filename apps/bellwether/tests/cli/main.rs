//! The command line as people and scripts see it: the built program against a server on loopback
//! whose every answer the test has written, and once against the real one.

mod apply;
mod backups;
mod confirm;
mod documented;
mod exits;
mod fixture;
mod parameters;
mod program;
mod real;
mod settings;
mod shown;
mod stand_in;
mod terminal;
