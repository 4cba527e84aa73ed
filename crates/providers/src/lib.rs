//! Every provider we know.
