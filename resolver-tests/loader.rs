//! The check after install.

mod support;
