//! Detection against stub libraries and made-up system files.

mod support;
