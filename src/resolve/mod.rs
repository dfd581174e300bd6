//! One consistent set of wheels, or the proof that there is none. `Machine`, `Request`, catalog → `Resolution`.
