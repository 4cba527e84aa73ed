//! The API as its callers see it: the real router over a real store, on a provider that makes
//! nothing. Every answer is held against the document (see `document`).

mod access;
mod authority;
mod backups;
mod calls;
mod changes;
mod clusters;
mod coverage;
mod databases;
mod document;
mod events;
mod fixture;
mod idempotency;
mod identity;
mod input;
mod paging;
mod parameters;
mod passwords;
mod people;
mod permissions;
mod secrets;
mod vault;
mod world;
