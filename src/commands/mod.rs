//! Each command joins the stages to one answer. `Args`, `Host` → `ExitStatus`.
