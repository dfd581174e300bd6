//! How a command that failed says so.

use serde_json::json;

use super::output::{BOLD, DIM, Output, RED, Verbosity, eprint_line};
use crate::error::Error;

/// Tells the error: on stderr what is wrong, why, and what to do; with JSON one error object on stdout as well.
pub fn failure(output: Output, error: &Error) {
    // What does not fit on a screen is told when asked for.
    let whole = output.verbosity == Verbosity::Verbose;
    let explanation = if whole { error.whole_explanation() } else { error.explanation() };
    if output.json {
        output.answer_json(&error_object(error, &explanation));
    }
    let code = error.code();
    eprint_line(&format!("{RED}error:{RED:#} {BOLD}{error}{BOLD:#} {DIM}[{code}]{DIM:#}"));
    for cause in error.causes() {
        eprint_line(&format!("  because: {cause}"));
    }
    for line in explanation {
        eprint_line(&format!("  {line}"));
    }
    for hint in error.hints() {
        output.hint(&hint);
    }
}

fn error_object(error: &Error, explanation: &[String]) -> serde_json::Value {
    json!({
        "schema": "torchfix.error/1",
        "code": error.code(),
        "message": error.to_string(),
        "causes": error.causes(),
        "explanation": explanation,
        "hints": error.hints(),
    })
}
