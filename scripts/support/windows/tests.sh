#!/usr/bin/env bash
# Part of scripts/windows-rig: the cross build and the tests under Wine.
# shellcheck disable=SC2154  # root, rig, target: of scripts/windows-rig
build() { give_up "not yet"; }
test_all() { give_up "not yet"; }
torch_wheels() { give_up "not yet"; }
