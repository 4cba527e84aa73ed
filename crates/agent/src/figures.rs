//! CPU, memory and disk of the node, read from /proc and the cgroup files.
