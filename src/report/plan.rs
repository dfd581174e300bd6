//! A plan, as JSON (`torchfix.plan/1`) and as text.

use serde::Serialize;

use super::output::{BOLD, DIM, GREEN, Output, RED, YELLOW};
use super::units::bytes;
use crate::vocab::{CudaVersion, PackageName, Sha256, Url, Variant, Version};

/// What an environment change comes to, ready to be shown.
#[derive(Debug, Clone, Serialize)]
pub struct PlanView {
    schema: &'static str,
    /// The variant of the torch in the plan.
    pub variant: Option<Variant>,
    /// The torch in the plan.
    pub torch: Option<Version>,
    /// Its CUDA runtime line; `None` for the CPU.
    pub cuda: Option<CudaVersion>,
    /// Its cuDNN.
    pub cudnn: Option<Version>,
    /// One step a distribution.
    pub steps: Vec<StepView>,
    /// Bytes to fetch: what is in the cache already costs nothing.
    pub download_bytes: u64,
    /// Bytes of the files that come, unpacked; `None` when that cannot be known of one of the wheels.
    pub disk_bytes: Option<u64>,
    /// Why this and nothing else, in sentences.
    pub reasons: Vec<String>,
    /// What the user should know before going on.
    pub warnings: Vec<String>,
}

/// What happens to one distribution.
#[derive(Debug, Clone, Serialize)]
pub struct StepView {
    /// What happens.
    pub action: Action,
    /// To which distribution.
    pub name: PackageName,
    /// Its version after the step; before it, where it is removed.
    pub version: Version,
    /// The version that goes, where another takes its place.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Version>,
    /// Where the wheel is fetched.
    pub url: Option<Url>,
    /// What its bytes must hash to.
    pub sha256: Option<Sha256>,
    /// Its size in bytes.
    pub size: Option<u64>,
    /// In a few words, why.
    pub why: String,
}

/// What happens to a distribution.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is new.
    Add,
    /// It takes the place of another build or version.
    Replace,
    /// It goes.
    Remove,
    /// It stays.
    Keep,
}

impl Action {
    /// Whether a wheel is fetched for it.
    pub fn brings_a_wheel(self) -> bool {
        matches!(self, Action::Add | Action::Replace)
    }
}

impl PlanView {
    /// A plan without steps.
    pub fn new() -> Self {
        Self {
            schema: "torchfix.plan/1",
            variant: None,
            torch: None,
            cuda: None,
            cudnn: None,
            steps: Vec::new(),
            download_bytes: 0,
            disk_bytes: Some(0),
            reasons: Vec::new(),
            warnings: Vec::new(),
        }
    }

    /// Whether it changes anything.
    pub fn changes(&self) -> bool {
        self.steps.iter().any(|step| step.action != Action::Keep)
    }

    /// The lines a person reads before the work starts.
    pub fn lines(&self) -> Vec<String> {
        let mut lines = Vec::new();
        if let (Some(torch), Some(variant)) = (&self.torch, &self.variant) {
            let mut parts = vec![format!("variant {variant}")];
            parts.extend(self.cuda.map(|cuda| format!("CUDA {cuda}")));
            parts.extend(self.cudnn.as_ref().map(|cudnn| format!("cuDNN {cudnn}")));
            lines.push(format!("{BOLD}torch {torch}{BOLD:#}: {}", parts.join(", ")));
        }
        lines.extend(self.reasons.iter().map(|reason| format!("  {reason}")));
        lines.extend(self.steps.iter().filter(|step| step.action != Action::Keep).map(StepView::line));
        let count = |action| self.steps.iter().filter(|step| step.action == action).count();
        let (new, gone) = (count(Action::Add) + count(Action::Replace), count(Action::Remove));
        if new + gone > 0 {
            let disk = self.disk_bytes.map(|disk| format!(", {} on disk", bytes(disk))).unwrap_or_default();
            let removed = if gone > 0 { format!(", {gone} removed") } else { String::new() };
            let noun = if new == 1 { "wheel" } else { "wheels" };
            lines
                .push(format!("{BOLD}{new} {noun}{BOLD:#}: {} to download{disk}{removed}", bytes(self.download_bytes)));
        }
        lines
    }

    /// Puts the plan on stdout, as the answer of a dry run.
    pub fn answer(&self, output: Output) {
        if output.json {
            // Every field is a plain value; serialisation cannot fail.
            output.answer_json(&serde_json::to_value(self).unwrap_or_default());
            return;
        }
        for line in self.lines() {
            output.answer(&line);
        }
        if !self.changes() {
            output.answer("nothing to do");
        }
        for warning in &self.warnings {
            output.warn(warning);
        }
    }
}

impl Default for PlanView {
    fn default() -> Self {
        Self::new()
    }
}

impl StepView {
    fn line(&self) -> String {
        let (sign, style) = match self.action {
            Action::Add => ('+', GREEN),
            Action::Replace => ('~', YELLOW),
            Action::Remove => ('-', RED),
            Action::Keep => ('=', DIM),
        };
        let version = match &self.replaces {
            Some(old) => format!("{old} → {}", self.version),
            None => self.version.to_string(),
        };
        let size = self.size.map(bytes).unwrap_or_default();
        let place =
            self.url.as_ref().map(|url| url.host_str().unwrap_or("this machine").to_owned()).unwrap_or_default();
        format!(
            "  {style}{sign}{style:#} {:32} {size:>7}  {DIM}{place}  {}{DIM:#}",
            format!("{} {version}", self.name),
            self.why
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_has_the_contract_s_keys() {
        let mut plan = PlanView::new();
        plan.steps.push(StepView {
            action: Action::Add,
            name: "torch".parse().unwrap(),
            version: "2.9.1+cu126".parse().unwrap(),
            replaces: None,
            url: Some("https://host/torch.whl".parse().unwrap()),
            sha256: None,
            size: None,
            why: "asked for".to_owned(),
        });
        let value = serde_json::to_value(&plan).unwrap();
        let keys: std::collections::BTreeSet<_> = value.as_object().unwrap().keys().map(String::as_str).collect();
        let expected = [
            "schema",
            "variant",
            "torch",
            "cuda",
            "cudnn",
            "steps",
            "download_bytes",
            "disk_bytes",
            "reasons",
            "warnings",
        ];
        assert_eq!(keys, expected.into_iter().collect());
        let step = value["steps"][0].as_object().unwrap();
        assert_eq!(step.len(), 7);
        assert_eq!((step["action"].as_str(), step["sha256"].is_null()), (Some("add"), true));
        assert!(plan.changes());
    }
}
