//! The solver against scenarios and an in-memory catalog.

mod support;
