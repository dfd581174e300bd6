//! The virtual environment that is changed. `Host`, path → `Environment`.
