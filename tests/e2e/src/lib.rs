//! Shared by the tests of this package: a server of their own, clusters of their own.
