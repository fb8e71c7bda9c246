#!/bin/bash
# Installs what building, running and testing need, and only what is missing. Starts and enables no system service.
# Usage: packaging/setup.sh [--check]   (--check installs nothing and fails when something is missing)
set -euo pipefail
cd "$(dirname "$0")/.."

readonly need_rust=1.85
export PATH="$HOME/.cargo/bin:$PATH:/usr/sbin:/sbin"
check_only=false
[ "${1:-}" = --check ] && check_only=true

say() { printf 'setup: %s\n' "$*" >&2; }
fail() { say "$@"; exit 1; }
have() { command -v "$1" >/dev/null 2>&1; }
any_file() { compgen -G "$1" >/dev/null; }

# --- what is there already -------------------------------------------------------------------------------------------

have_httpd() { have apache2 || have httpd || { have apxs && [ -x "$(apxs -q SBINDIR)/$(apxs -q PROGNAME)" ]; }; }
have_apxs() { { have apxs || have apxs2; } && [ -f "$("$(command -v apxs || command -v apxs2)" -q INCLUDEDIR)/httpd.h" ]; }
have_libclang() {
  [ -n "${LIBCLANG_PATH:-}" ] || any_file '/usr/lib/llvm-*/lib/libclang*.so*' || any_file '/usr/lib*/libclang.so*' ||
    any_file '/usr/lib/*-linux-gnu/libclang*.so*'
}
have_openmetrics() { /usr/bin/python3 -c 'import prometheus_client.openmetrics.parser' 2>/dev/null; }
have_crs() { [ -d /usr/share/modsecurity-crs/rules ]; }
have_browser() { have chromium || have chromium-browser || have google-chrome; }
have_libc_headers() { [ -f /usr/include/stdio.h ]; }
have_certificates() { any_file '/etc/ssl/certs/*.pem' || any_file '/etc/ssl/certs/*.crt' || [ -d /etc/pki/tls/certs ]; }

# Debian package, then the command that says it is there.
readonly wanted='
apache2-bin       have_httpd
apache2-dev       have_apxs
libclang-dev      have_libclang
clang             have clang
gcc               have gcc
libc6-dev         have_libc_headers
make              have make
pkg-config        have pkg-config
perl              have perl
curl              have curl
openssl           have openssl
nghttp2-client    have h2load
slowhttptest      have slowhttptest
apache2-utils     have ab
procps            have ps
iproute2          have ss
valgrind          have valgrind
python3           have python3
python3-prometheus-client  have_openmetrics
modsecurity-crs   have_crs
chromium          have_browser
ca-certificates   have_certificates
'

missing=()
while read -r package test; do
  [ -z "$package" ] || $test </dev/null || missing+=("$package")
done <<<"$wanted"

# --- Rust ------------------------------------------------------------------------------------------------------------

at_least() { [ "$(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1)" = "$1" ]; }
rust_version() { (cargo --version && rustc --version) 2>/dev/null | awk '{print $2}' | sort -V | head -n 1; }
have_rust() { have cargo && have rustc && at_least "$need_rust" "$(rust_version)"; }

# --- install ---------------------------------------------------------------------------------------------------------

as_root=()
apt_install() {
  local list="$*"
  if [ "$(id -u)" -ne 0 ]; then
    if have sudo && sudo -n true 2>/dev/null; then
      as_root=(sudo -n)
    else
      say "missing: $list"
      say "no right to install them. Run this, then the same make target again:"
      printf '  sudo apt-get update && sudo apt-get install -y --no-install-recommends %s\n' "$list" >&2
      exit 1
    fi
  fi
  say "installing $list"
  # The package "apache2" would bring a system service that starts by itself; nothing here may pull it in.
  if apt-get -s install --no-install-recommends "$@" 2>/dev/null | grep -q '^Inst apache2 '; then
    fail "installing $list would bring in the package apache2 and its service: install them by hand"
  fi
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-install-recommends "$@" </dev/null >&2 ||
    fail "apt-get could not install: $list"
}

updated=false
apt_update() {
  $updated && return 0
  updated=true
  if [ "$(id -u)" -eq 0 ]; then
    apt-get update -q </dev/null >&2 || say "apt-get update failed; going on with the lists that are there"
  elif have sudo && sudo -n true 2>/dev/null; then
    sudo -n apt-get update -q </dev/null >&2 || say "apt-get update failed; going on with the lists that are there"
  fi
}

if [ ${#missing[@]} -gt 0 ]; then
  $check_only && fail "missing: ${missing[*]}"
  if have apt-get; then
    apt_update
    apt_install "${missing[@]}"
  else
    say "this is no Debian or Ubuntu. Install with your package manager what these Debian packages hold:"
    printf '  %s\n' "${missing[@]}" >&2
    say "(httpd and its development files with apxs, libclang, a C compiler, and the programs named)"
    exit 1
  fi
fi

if ! have_rust; then
  found="$(have cargo && rust_version || echo none)"
  $check_only && fail "Rust $need_rust or later is missing (found: $found)"
  candidate=
  if have apt-get; then
    apt_update
    candidate="$(apt-cache policy cargo 2>/dev/null | awk '/Candidate:/ {print $2}')"
    # Debian numbers cargo 1.85 as "1.85.0+dfsg..."; before that, versions like 0.66 had a number of their own.
    candidate="${candidate#*:}"
  fi
  if [ -n "$candidate" ] && [ "$candidate" != "(none)" ] && at_least "$need_rust" "${candidate%%[+-]*}"; then
    apt_install cargo rustc
  fi
  if ! have_rust; then
    say "Rust $need_rust or later is needed (found: $found), and this system has no package of it."
    say "Install it for your account with rustup, then run the same make target again:"
    say "  curl --proto '=https' --tlsv1.2 -sSf https://sh.rustup.rs | sh -s -- -y --profile minimal"
    exit 1
  fi
fi

# --- the Rust packages that the build uses -------------------------------------------------------------------------

host="$(rustc -vV | awk '/^host:/ {print $2}')"
if ! cargo fetch --offline --target "$host" >/dev/null 2>&1; then
  say "fetching Rust packages"
  cargo fetch --target "$host" </dev/null || fail "the Rust packages named in Cargo.lock cannot be fetched from their" \
    "registry (crates.io). Check the network, or the proxy in HTTPS_PROXY, or the mirror in ~/.cargo/config.toml."
fi
