//! Results as text or JSON; the only code that prints.
