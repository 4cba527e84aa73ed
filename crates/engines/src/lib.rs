//! Every engine we can run.
