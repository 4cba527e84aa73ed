//! Lease, gate, promise, fence; the session with the server.
