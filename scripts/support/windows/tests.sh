#!/usr/bin/env bash
# Part of scripts/windows-rig: the cross build, the stand-in wheels and the tests under Wine.
# shellcheck disable=SC2154  # root, rig, target, cannot_be_had: of scripts/windows-rig

triple=x86_64-pc-windows-gnu
# What touches files, processes or the network. The others are pure functions over text, the same everywhere: the solver
# and its oracle, hostile input, and the models of both loaders.
here=(lib bin cli fetch index install launchers machine rig)

# Built once and run once: what the compiler saves is worth more than what the code would, but for what every byte passes.
hot=(core alloc std memchr bytes crc32fast libz-rs-sys object flate2 serde_json pep508_rs)
optimised=()
for package in "${hot[@]}"; do optimised+=(--config "profile.dev.package.$package.opt-level=1"); done

# build [TARGET ...]: a target is lib, bin or the name of an integration test; without one those above are built.
build() {
    local selection=() name
    (($#)) || set -- "${here[@]}"
    for name; do
        case $name in
            lib) selection+=(--lib) ;;
            bin) selection+=(--bins) ;;
            *) selection+=(--test "$name") ;;
        esac
    done
    mkdir -p "$target"
    say "building for Windows"
    # Debian's cargo and rustc: their standard library is there as source, to be built for a target that has none.
    (
        cd "$root" && unset RUSTUP_TOOLCHAIN RUSTC RUSTC_WRAPPER CARGO
        export PATH=/usr/bin:$PATH RUSTC_BOOTSTRAP=1 CARGO_TARGET_DIR=$target
        export CARGO_TARGET_X86_64_PC_WINDOWS_GNU_LINKER=x86_64-w64-mingw32-gcc
        /usr/bin/cargo test --locked --quiet --no-run -Zbuild-std=std,panic_unwind,test --target "$triple" \
            --config profile.dev.opt-level=0 "${optimised[@]}" \
            --message-format json-render-diagnostics "${selection[@]}"
    ) >"$target/build.json" || give_up "the build for Windows failed"
    python3 "$root/scripts/support/windows/executables.py" <"$target/build.json" >"$target/executables"
    "$root/scripts/support/build-windows-stubs" "$target/stubs"
}

torch_wheels() {
    local inputs=("$root"/scripts/support/{pypi,stand_in_wheel}.py "$root"/scripts/support/windows/*_cuda.c)
    with_lock step "the stand-in CUDA wheels" wheels "$(cat "${inputs[@]}" | cksum)" \
        python3 "$root/scripts/support/stand_in_wheel.py" "$rig/downloads" "$rig/wheels"
}

# test_all [TARGET ...]
test_all() {
    local status=0
    rm -f "$rig/why-not"
    (set_up && torch_wheels) || status=$?
    if ((status == cannot_be_had)); then
        echo "skipped: the Windows tests: $(cat "$rig/why-not")"
        return
    elif ((status)); then
        return "$status"
    fi
    build "$@"
    start_server
    mkdir -p "$target/logs"
    local name executable failed=()
    while IFS=$'\t' read -r name executable; do
        test_one "$name" "$executable" || failed+=("$name")
    done <"$target/executables"
    # With it goes what a test has left running.
    (enter_wine && wineserver -k) || true
    if ((${#failed[@]})); then
        echo "Windows tests failed: ${failed[*]}"
        return 1
    fi
}

# The result lines and the skips of one executable go to stdout, and all of its output when something failed.
test_one() {
    local name=$1 executable=$2 log=$target/logs/$1.log status=0
    say "testing $name"
    RIG_LIMIT=${RIG_LIMIT:-900} in_tree run_program "$executable" --test-threads 2 --show-output >"$log" 2>&1 || status=$?
    if ! grep -q '^test result: ' "$log"; then
        # It crashed or took too long; that is one failure, in the words of those who count.
        echo "test result: FAILED. 0 passed; 1 failed; 0 ignored; $name ended with status $status" >>"$log"
        ((status)) || status=1
    fi
    if ((status)); then
        grep -vE '^test .* \.\.\. (ok|ignored)' "$log" | sed "s/^/$name: /;s/^$name: \(test result: \)/\1/"
    else
        sed -nE "s/^(test result: .*)/\1 ($name)/p" "$log"
    fi
    grep -oE '^ *skipped: .*' "$log" | sort -u | sed "s/ *skipped: */skipped: on Windows: /" || true
    return "$status"
}

# As cargo runs a test; insta would ask cargo for what the last variable says.
in_tree() {
    (
        cd "$root" && CARGO_MANIFEST_DIR=$(windows_path "$root") && INSTA_WORKSPACE_ROOT=$CARGO_MANIFEST_DIR
        export WINDOWS_STUBS && WINDOWS_STUBS=$(windows_path "$target/stubs")
        export CARGO_MANIFEST_DIR INSTA_WORKSPACE_ROOT INSTA_UPDATE=no RUST_BACKTRACE=0
        "$@"
    )
}
