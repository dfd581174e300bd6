//! Wheels arrive in parallel ranges, and go on where they stopped. `LockedWheel` → `WheelStream`.
