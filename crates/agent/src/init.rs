//! The first process: keeps sentry, worker and endpoint alive and reaps what they leave.
