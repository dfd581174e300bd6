//! From an environment to what is wanted, in one transaction. `Plan`, `UnpackedWheel`s → `Environment`.
