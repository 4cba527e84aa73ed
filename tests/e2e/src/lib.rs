//! The whole system on real engines in real containers: one file for each promise.
