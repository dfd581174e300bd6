//! The structure of a ZIP, judged before a byte of it is written. Bytes by range → `CentralDirectory`.
