//! Why a build, or why not, as JSON (`torchfix.why/1`) and as text.

use serde_json::{Value, json};

use super::output::{BOLD, GREEN, Output, RED};
use crate::resolve::{Answer, Judgement, Verdict};

/// An answer, ready to be shown.
#[derive(Debug)]
pub struct WhyView<'a> {
    answer: &'a Answer,
}

impl<'a> WhyView<'a> {
    /// Of an answer.
    pub fn new(answer: &'a Answer) -> Self {
        Self { answer }
    }

    /// Puts it on stdout; hints are talk.
    pub fn answer(&self, output: Output) {
        if output.json {
            output.answer_json(&self.to_json());
            return;
        }
        for line in self.lines() {
            output.answer(&line);
        }
        for hint in &self.answer.hints {
            output.hint(hint);
        }
    }

    /// As `torchfix.why/1`.
    pub fn to_json(&self) -> Value {
        let answer = self.answer;
        json!({
            "schema": "torchfix.why/1",
            "asked": answer.asked,
            "fits": answer.fits(),
            "machine": answer.hardware,
            "builds": answer.builds.iter().map(build_json).collect::<Vec<_>>(),
            "chosen": answer.chosen.as_ref().map(build_json),
            "preference": answer.preference,
            "newer": answer.newer,
            "notes": answer.notes,
            "hints": answer.hints,
        })
    }

    /// The lines a person reads.
    pub fn lines(&self) -> Vec<String> {
        let answer = self.answer;
        let mut lines = vec![self.headline()];
        lines.push(format!("  this machine has {}", answer.hardware));
        lines.extend(answer.notes.iter().map(|note| format!("  {note}")));
        match answer.builds.as_slice() {
            [] => {}
            [one] => lines.extend(one.objections.iter().map(|objection| format!("  it {objection}"))),
            _ => lines.extend(answer.summary.iter().map(|sentence| format!("  {sentence}"))),
        }
        lines.push(self.chosen());
        lines.extend(answer.preference.iter().map(|rule| format!("  {rule}")));
        lines.extend(answer.newer.iter().map(|sentence| format!("  {sentence}")));
        lines
    }

    fn headline(&self) -> String {
        let answer = self.answer;
        match answer.builds.as_slice() {
            [] => format!("{BOLD}{}{BOLD:#}: {RED}no such build is known{RED:#}", answer.asked),
            [one] if one.runs() => {
                format!("{BOLD}torch {}{BOLD:#} {GREEN}{}{GREEN:#}", one.title(), runs_here(one.verdict))
            }
            [one] => format!("{BOLD}torch {}{BOLD:#} {RED}{}{RED:#}", one.title(), runs_here(one.verdict)),
            many => {
                let running = many.iter().filter(|build| build.runs()).count();
                let colour = if running > 0 { GREEN } else { RED };
                let count = if running == 0 { "none".to_owned() } else { running.to_string() };
                let verb = if running > 1 { "run" } else { "runs" };
                let asked = &answer.asked;
                format!(
                    "{BOLD}{asked}{BOLD:#}: {colour}{count} of {} builds {verb}{colour:#} on this machine",
                    many.len()
                )
            }
        }
    }

    fn chosen(&self) -> String {
        let Some(chosen) = &self.answer.chosen else {
            return format!("{RED}no{RED:#} build of torch serves this machine");
        };
        let newer = if self.answer.newer.is_empty() { "the newest that does" } else { "no newer release runs here" };
        let only = matches!(self.answer.builds.as_slice(), [one] if one.title() == chosen.title());
        if only {
            return format!("it is the one that `torchfix install` takes: {newer}");
        }
        let (title, runs) = (chosen.title(), runs(chosen.verdict));
        format!("`torchfix install` takes {BOLD}torch {title}{BOLD:#}, which {runs}: {newer}")
    }
}

/// A build, its verdict, and why.
pub(super) fn build_json(build: &Judgement) -> Value {
    json!({
        "torch": build.version,
        "variant": build.variant,
        "verdict": build.verdict,
        "reasons": build.objections.iter().map(|objection| format!("it {objection}")).collect::<Vec<_>>(),
        "only_named": build.only_named.as_ref().map(|reason| format!("it {reason}")),
    })
}

fn runs_here(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::No => "does not run on this machine",
        Verdict::Cpu => "computes on this machine's CPU alone",
        Verdict::Ptx => "runs on this machine once the driver has compiled it",
        Verdict::Compatible => "runs on this machine by minor-version compatibility",
        Verdict::Native => "runs natively on this machine",
    }
}

fn runs(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::No => "does not run",
        Verdict::Cpu => "computes on the CPU alone",
        Verdict::Ptx => "runs once the driver has compiled it",
        Verdict::Compatible => "runs by minor-version compatibility",
        Verdict::Native => "runs natively",
    }
}
