//! Leads clients to where they belong.
