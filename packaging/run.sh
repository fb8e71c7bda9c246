#!/bin/bash
# Starts a private Apache in the foreground that is protected by the module. Ctrl-C stops it and leaves nothing behind.
# Settings: PORT (8080), HOST (127.0.0.1), MPM (event), QOS_CONF (packaging/run.conf), MODULE (target/release/libmod_qos.so)
set -euo pipefail
cd "$(dirname "$0")/.."
export PATH="$PATH:/usr/sbin:/sbin"

port="${PORT:-8080}"
host="${HOST:-127.0.0.1}"
mpm="${MPM:-event}"
rules="$(realpath "${QOS_CONF:-packaging/run.conf}")"
module="$(realpath -m "${MODULE:-target/release/libmod_qos.so}")"
apxs="$(command -v apxs || command -v apxs2)"
httpd="$("$apxs" -q SBINDIR)/$("$apxs" -q PROGNAME)"
modules="$("$apxs" -q LIBEXECDIR)"

fail() { printf 'run: %s\n' "$*" >&2; exit 1; }
[ -f "$module" ] || fail "$module is missing: run make build"
if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then
  fail "port $port is in use; choose another one: make run PORT=8081"
fi

# Not in the checkout: an account without rights must be able to read the pages.
root="$(mktemp -d "${TMPDIR:-/tmp}/qos-run.XXXXXX")"
pid=
tail_pid=
finish() {
  trap - EXIT INT TERM HUP
  if [ -n "$pid" ]; then
    kill -TERM "$pid" 2>/dev/null || true
    wait "$pid" 2>/dev/null || true
  fi
  if [ -n "$tail_pid" ]; then
    kill "$tail_pid" 2>/dev/null || true
    wait "$tail_pid" 2>/dev/null || true
  fi
  rm -rf "$root"
}
trap finish EXIT
trap 'finish; echo; echo "run: stopped" >&2; exit 0' INT TERM HUP

chmod 755 "$root"
mkdir -m 755 "$root/docs"
truncate -s 64M "$root/docs/large.bin"
sed -e '/^ *#/d' -e 's/&/\&amp;/g' -e 's/</\&lt;/g' "$rules" >"$root/rules.html"
sed -e "/@RULES@/{r $root/rules.html" -e 'd}' -e "s/@PORT@/$port/g" packaging/run.html >"$root/docs/index.html"

load() {
  local name
  for name in "$@"; do
    if [ -f "$modules/mod_$name.so" ]; then echo "LoadModule ${name}_module $modules/mod_$name.so"; fi
  done
}
account=
if [ "$(id -u)" -eq 0 ]; then
  for user in www-data apache nobody; do
    if id "$user" >/dev/null 2>&1; then account="$user"; break; fi
  done
  account="User $account
Group $(id -gn "$account")"
fi
cat >"$root/httpd.conf" <<CONF
ServerRoot "$root"
DefaultRuntimeDir "$root"
PidFile "$root/httpd.pid"
ServerName localhost
Listen $host:$port
$(load "mpm_$mpm" unixd authz_core log_config mime dir headers setenvif status)
LoadModule qos_module "$module"
# A divisor of the 256 that the rules ask for.
<IfModule !mpm_prefork_module>
    ThreadsPerChild 32
</IfModule>
$account
ErrorLog "$root/error.log"
LogLevel notice qos:info
LogFormat "%h \"%r\" %>s %O connections=%{QS_SrvConn}e of_this_address=%{QS_IPConn}e" run
CustomLog "$root/access.log" run
TypesConfig /dev/null
AddType text/html .html
DocumentRoot "$root/docs"
<Directory />
    AllowOverride None
    Require all denied
</Directory>
<Directory "$root/docs">
    Require all granted
</Directory>
<Location /server-status>
    SetHandler server-status
    Require all granted
</Location>
Include "$rules"
CONF

# A process group of its own: Ctrl-C reaches this script only, which then ends Apache in order.
set -m
"$httpd" -f "$root/httpd.conf" -DFOREGROUND </dev/null &
pid=$!
set +m
for _ in $(seq 200); do
  kill -0 "$pid" 2>/dev/null || break
  grep -qs 'resuming normal operations' "$root/error.log" && break
  sleep 0.05
done
if ! kill -0 "$pid" 2>/dev/null; then
  cat "$root/error.log" >&2 2>/dev/null || true
  pid=
  fail "Apache did not start"
fi
cat <<TEXT

  Apache with mod_qos: http://localhost:$port/   (status: http://localhost:$port/server-status)
  It is protected by $rules.
  Below is its error log; Ctrl-C stops it.

TEXT
set -m
tail -n +1 -F "$root/error.log" 2>/dev/null &
tail_pid=$!
set +m
status=0
wait "$pid" || status=$?
pid=
fail "Apache ended by itself (status $status)"
