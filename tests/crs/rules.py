#!/usr/bin/python3
"""The patterns of the OWASP Core Rule Set (Debian package modsecurity-crs) against XSS and SQL injection, as QS_DenyQuery rules.

Usage: tests/crs/rules.py [FOLDER]   FOLDER has the files REQUEST-941-*.conf and REQUEST-942-*.conf.
"""

import glob
import re
import sys

folder = sys.argv[1] if len(sys.argv) > 1 else "/usr/share/modsecurity-crs/rules"

for name in sorted(glob.glob(f"{folder}/REQUEST-94[12]-*.conf")):
    with open(name, encoding="utf-8") as file:
        text = file.read().replace("\\\n", " ")
    for line in text.splitlines():
        # SecRule VARIABLES "@rx PATTERN" "id:N,..."; quotes within the pattern are escaped.
        found = re.match(r'\s*SecRule\s+\S+\s+"@rx ((?:[^"\\]|\\.)*)"\s+"\s*id:(\d+)', line)
        if not found:
            continue
        pattern, number = found.group(1).replace('\\"', '"'), found.group(2)
        quoted = pattern.replace("\\", "\\\\").replace('"', '\\"')
        print(f'QS_DenyQuery +crs{number} deny "{quoted}"')
