//! Environments, plans and transactions.

mod support;
