//! Releases × variants, as JSON (`torchfix.matrix/1`) and as a table.

use anstyle::Style;
use serde_json::{Value, json};

use super::output::{BOLD, DIM, GREEN, Output, RED, YELLOW};
use super::why::build_json;
use crate::resolve::{Judgement, Matrix, Verdict};

/// A matrix, ready to be shown.
#[derive(Debug)]
pub struct MatrixView<'a> {
    matrix: &'a Matrix,
}

impl<'a> MatrixView<'a> {
    /// Of a matrix.
    pub fn new(matrix: &'a Matrix) -> Self {
        Self { matrix }
    }

    /// Puts it on stdout.
    pub fn answer(&self, output: Output) {
        if output.json {
            output.answer_json(&self.to_json());
            return;
        }
        for line in self.lines() {
            output.answer(&line);
        }
    }

    /// As `torchfix.matrix/1`.
    pub fn to_json(&self) -> Value {
        let matrix = self.matrix;
        json!({
            "schema": "torchfix.matrix/1",
            "machine": matrix.hardware,
            "chosen": matrix.chosen.as_ref().map(build_json),
            "variants": matrix.variants,
            "cells": matrix.builds().map(build_json).collect::<Vec<_>>(),
            "left_out": matrix.left_out,
        })
    }

    /// The table, its legend, and the reasons.
    pub fn lines(&self) -> Vec<String> {
        let matrix = self.matrix;
        let reasons = matrix.reasons();
        let mut lines = vec![matrix.hardware.clone(), matrix.system.clone(), String::new()];
        let widths: Vec<usize> =
            matrix.variants.iter().map(|variant| variant.to_string().len().max(NARROWEST)).collect();
        let heads =
            matrix.variants.iter().zip(&widths).map(|(variant, width)| format!("{:width$}", variant.to_string()));
        lines.push(format!("{BOLD}{:8}{}{BOLD:#}", "torch", heads.collect::<Vec<_>>().join(" ")).trim_end().to_owned());
        let mut place = 0;
        for row in &matrix.rows {
            let mut line = format!("{BOLD}{:8}{BOLD:#}", row.version.to_string());
            let mut gap = 0;
            for (cell, width) in row.cells.iter().zip(&widths) {
                if let Some(build) = cell {
                    let reason = reasons.iter().position(|(_, places)| places.contains(&place));
                    place += 1;
                    let (style, text) = (style(build.verdict), self.cell(build, reason));
                    line = format!("{line}{:gap$}{style}{text}{style:#}", "");
                    gap = width - text.len() + 1;
                } else {
                    gap += width + 1;
                }
            }
            lines.push(line);
        }
        lines.push(String::new());
        lines.extend(self.legend());
        lines.extend(reasons.iter().zip(1..).map(|((reason, _), number)| {
            let mark = format!("-{number}");
            format!("{RED}{mark:3}{RED:#} {reason}")
        }));
        if matrix.left_out > 0 {
            lines.push(format!("{DIM}{} older releases are left out; `--all` shows them{DIM:#}", matrix.left_out));
        }
        lines
    }

    fn cell(&self, build: &Judgement, reason: Option<usize>) -> String {
        let mark = match build.verdict {
            Verdict::No => return reason.map_or("-".to_owned(), |reason| format!("-{}", reason + 1)),
            Verdict::Cpu => "o",
            Verdict::Ptx => "^",
            Verdict::Compatible => "~",
            Verdict::Native => "+",
        };
        match build.only_named {
            Some(_) => format!("({mark})"),
            None if self.is_chosen(build) => format!("{mark}*"),
            None => mark.to_owned(),
        }
    }

    fn is_chosen(&self, build: &Judgement) -> bool {
        self.matrix.chosen.as_ref().is_some_and(|chosen| chosen.title() == build.title())
    }

    /// What the marks mean that are in the table.
    fn legend(&self) -> Vec<String> {
        let has = |verdict: Verdict| self.matrix.builds().any(|build| build.verdict == verdict);
        let mut lines = Vec::new();
        for (verdict, mark, meaning) in [
            (Verdict::Native, "+", "runs natively"),
            (
                Verdict::Compatible,
                "~",
                "runs by minor-version compatibility: the driver is older than its CUDA, of the same major version",
            ),
            (Verdict::Ptx, "^", "runs once the driver has compiled it, which takes minutes at the first use"),
            (Verdict::Cpu, "o", "computes on the CPU alone"),
        ] {
            if has(verdict) {
                let style = style(verdict);
                lines.push(format!("{style}{mark:3}{style:#} {meaning}"));
            }
        }
        if self.matrix.builds().any(|build| build.only_named.is_some()) {
            lines.push(format!("{:3} taken only when its variant is named", "( )"));
        }
        match &self.matrix.chosen {
            Some(chosen) => lines.push(format!(
                "{:3} what `torchfix install` takes where the indexes have it: torch {}",
                "*",
                chosen.title()
            )),
            None => lines.push(format!("{RED}no build serves this machine{RED:#}")),
        }
        lines
    }
}

/// Room for `(+)` and `-12`.
const NARROWEST: usize = 5;

fn style(verdict: Verdict) -> Style {
    match verdict {
        Verdict::No => RED,
        Verdict::Cpu => DIM,
        Verdict::Ptx | Verdict::Compatible => YELLOW,
        Verdict::Native => GREEN,
    }
}
