#![no_main]

#[path = "../../hostile/targets.rs"]
mod targets;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| targets::pe(bytes));
