//! What the system's loader will do, and does, with torch's libraries. `Environment` → `LoadReport`.
