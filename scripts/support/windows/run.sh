#!/usr/bin/env bash
# Part of scripts/windows-rig: Windows programs under Wine.
# shellcheck disable=SC2154  # rig, target: of scripts/windows-rig

# What holds a path of this machine, or several, and is read by programs in the rig.
path_variables=(SSL_CERT_FILE SSL_CERT_DIR PIP_CERT PIP_FIND_LINKS REQUESTS_CA_BUNDLE CURL_CA_BUNDLE UV_FIND_LINKS)
# Where the kernel lays out memory at random, once in some thousand starts it is just where Wine needs a place of its own:
# that program does not start (error 1359), or hangs. Some containers forbid to ask for a fixed layout.
fixed_layout=()
if setarch -R true 2>/dev/null; then fixed_layout=(setarch -R); fi
# What means an environment of this machine.
foreign_variables=(VIRTUAL_ENV CONDA_PREFIX CONDA_DEFAULT_ENV PYTHONHOME PYTHONPATH)

# Everything else (HTTPS_PROXY, PIP_INDEX_URL, UV_INDEX_URL, ...) Wine hands on as it is, but PATH, HOME, TMP and TEMP,
# which are the prefix's own; WINEPATH is put before its PATH.
enter_wine() {
    export WINEPREFIX=$rig/prefix WINEARCH=win64 WINEDEBUG=${WINEDEBUG:--all}
    # In the C locale Wine could not open a file whose name is not ASCII.
    export LC_ALL=C.UTF-8
    # Intel's OpenMP asks for a processor topology that Wine does not know.
    export KMP_AFFINITY=disabled
    local name
    export WINDOWS_RIG
    WINDOWS_RIG=$(windows_path "$rig")
    # `python` is found, as after an installation that was asked to put it there.
    export WINEPATH="$WINDOWS_RIG\\python${WINEPATH:+;$WINEPATH}"
    unset "${foreign_variables[@]}"
    for name in "${path_variables[@]}"; do
        if [[ ${!name-} == /* ]]; then export "$name=$(windows_path "${!name}")"; fi
    done
}

# A path of this machine as programs in the rig see it: drive Z is the root.
windows_path() {
    local path=${1//\//\\}
    echo "Z:$path"
}

# A program is a path, or a name that the rig knows.
find_program() {
    case $1 in
        python | python.exe) echo "$rig/python/python.exe" ;;
        torchfix | torchfix.exe) echo "$target/x86_64-pc-windows-gnu/debug/torchfix.exe" ;;
        *) echo "$1" ;;
    esac
}

run() {
    (($#)) || give_up "run what?"
    local program
    program=$(find_program "$1")
    shift
    start_server
    run_program "$program" "$@"
}

# Wine's server and services outlive the first program that needs them: they must not hold its output open.
start_server() {
    (
        enter_wine
        "${fixed_layout[@]}" wineserver -p60
        timeout 60 "${fixed_layout[@]}" wine cmd /c exit
    ) </dev/null >/dev/null 2>&1 || true
}

# Python for one prints nothing unless stdout is a pipe. Of a program that takes too long the status is 124.
# What it leaves behind, such as the child of a program that a test has killed, may hold its output open for ever: the
# readers are waited for a moment only.
run_program() {
    (
        enter_wine
        local status=0 out err reader readers=() tries
        exec {out}> >(exec cat)
        readers+=($!)
        exec {err}> >(exec cat >&2)
        readers+=($!)
        timeout --kill-after=5 "${RIG_LIMIT:-600}" "${fixed_layout[@]}" wine "$@" </dev/null 1>&"$out" 2>&"$err" || status=$?
        exec {out}>&- {err}>&-
        for reader in "${readers[@]}"; do
            for ((tries = 0; tries < 20; tries++)); do
                kill -0 "$reader" 2>/dev/null || break
                sleep 0.1
            done
            kill "$reader" 2>/dev/null || true
        done
        exit "$status"
    )
}

print_environment() {
    (
        enter_wine
        printf 'unset %s\n' "${foreign_variables[*]}"
        local name
        for name in WINEPREFIX WINEPATH WINEARCH WINEDEBUG LC_ALL KMP_AFFINITY WINDOWS_RIG "${path_variables[@]}"; do
            if [[ -n ${!name-} ]]; then printf 'export %s=%q\n' "$name" "${!name}"; fi
        done
    )
}
