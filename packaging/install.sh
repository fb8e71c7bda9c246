#!/bin/bash
# Puts the module and its configuration in place, or takes them away.
# Usage: packaging/install.sh install|uninstall MODULE DESTDIR LIBEXECDIR SYSCONFDIR INCLUDEDIR   (called by make)
set -euo pipefail
cd "$(dirname "$0")/.."

action="$1" module="$2" destdir="$3" libexecdir="$4" sysconfdir="$5" includedir="${6:-}"
fail() { printf '%s: %s\n' "$action" "$*" >&2; exit 1; }
[ -n "$libexecdir" ] || fail "apxs does not say where modules go: run make setup, or pass LIBEXECDIR=..."

installed="$libexecdir/mod_qos.so"
available="$sysconfdir/mods-available"
enabled="$sysconfdir/mods-enabled"

# Debian and its kin have modules that are switched on by links.
debian_like() {
  [ -n "$sysconfdir" ] && { [ -d "$available" ] || [ -d "$destdir$available" ] || [ -f /etc/debian_version ]; }
}

case "$action" in
install)
  install -D -m 644 "$module" "$destdir$installed"
  echo "installed $destdir$installed"
  if [ -n "$includedir" ]; then
    # For modules in C that take part in decoding.
    install -D -m 644 include/mod_qos_hooks.h "$destdir$includedir/mod_qos_hooks.h"
    echo "installed $destdir$includedir/mod_qos_hooks.h"
  fi
  if debian_like; then
    install -d -m 755 "$destdir$available"
    sed "s|^LoadModule qos_module .*|LoadModule qos_module $installed|" mods-available/qos.load >"$destdir$available/qos.load"
    chmod 644 "$destdir$available/qos.load"
    conf="$destdir$available/qos.conf"
    if [ -f "$conf" ] && ! cmp -s mods-available/qos.conf "$conf"; then
      # The administrator's own rules, or those of the packaged original: never replaced.
      install -m 644 mods-available/qos.conf "$conf.dist"
      echo "kept $conf as it is; the new one is $conf.dist"
    else
      install -m 644 mods-available/qos.conf "$conf"
      echo "installed $conf"
    fi
    echo "now: a2enmod qos && apachectl configtest && apachectl restart"
  else
    echo "now add this to your configuration, then run apachectl configtest && apachectl restart:"
    echo
    echo "LoadModule qos_module $installed"
    cat mods-available/qos.conf
  fi
  ;;
uninstall)
  if [ -e "$destdir$enabled/qos.load" ] || [ -L "$destdir$enabled/qos.load" ]; then
    fail "the module is enabled, and Apache would not start without it: run a2dismod qos first"
  fi
  rm -f "$destdir$installed" "$destdir$available/qos.load" "$destdir$available/qos.conf.dist"
  echo "removed $destdir$installed"
  [ -z "$includedir" ] || rm -f "$destdir$includedir/mod_qos_hooks.h"
  conf="$destdir$available/qos.conf"
  if [ -f "$conf" ] && ! cmp -s mods-available/qos.conf "$conf"; then
    echo "kept $conf, which was changed"
  else
    rm -f "$conf"
  fi
  ;;
*) fail "unknown action" ;;
esac
