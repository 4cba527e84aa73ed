//! The node's own nftables table: gate, members, read gate.
