#!/bin/bash
# Builds the fuzz targets and lets each of them run for FUZZ_SECONDS, FUZZ_JOBS at a time. What they find is shown and makes it fail.
# Usage: packaging/fuzz.sh [TARGET...]     all of them without names
#        packaging/fuzz.sh TARGET FILE     the input that is in a file, once
set -euo pipefail
cd "$(dirname "$0")/.."

seconds="${FUZZ_SECONDS:-60}"
jobs="${FUZZ_JOBS:-$(nproc)}"
cargo="${CARGO:-cargo}"
say() { printf 'fuzz: %s\n' "$*" >&2; }

# --- build -------------------------------------------------------------------------------------------------------------

# cargo-fuzz would need a nightly compiler. The counters that libFuzzer reads are made by a pass of LLVM that stable ones have, too.
flags=(-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 -Cllvm-args=-sanitizer-coverage-inline-8bit-counters
  -Cllvm-args=-sanitizer-coverage-pc-table -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing)
host="$(rustc -vV | awk '/^host:/ {print $2}')"
target_dir="$(mkdir -p "${CARGO_TARGET_DIR:-target}/fuzz" && cd "${CARGO_TARGET_DIR:-target}/fuzz" && pwd)"
# libFuzzer is C++; clang, which bindgen needs anyway, has a compiler for it.
[ -n "${CXX:-}" ] || CXX="$(command -v g++ || command -v clang++)" || { say "a C++ compiler is missing: run make setup"; exit 1; }
export CXX
# With a target named, build scripts and macros are built without the flags.
CARGO_TARGET_DIR="$target_dir" RUSTFLAGS="${flags[*]}" "$cargo" build --release --locked --manifest-path fuzz/Cargo.toml --target "$host"
program="$target_dir/$host/release/fuzz"

# --- run ---------------------------------------------------------------------------------------------------------------

# One input may take 10 s and 1 GB: more is a finding.
options=(-timeout=10 -rss_limit_mb=1024 -max_len=4096 -print_final_stats=0 -verbosity=1)

if [ $# -eq 2 ] && [ -f "$2" ]; then
  FUZZ_TARGET="$1" exec "$program" "${options[@]}" "$2"
fi

known="$(sed -nE 's/^ *\("([a-z_]+)", .*/\1/p' fuzz/src/targets/mod.rs)"
targets=("$@")
[ $# -gt 0 ] || mapfile -t targets <<<"$known"
for name in "${targets[@]}"; do
  grep -qxF -- "$name" <<<"$known" || { say "there is no target $name; there are:" $known; exit 2; }
done

run() {
  local name="$1" folder="$target_dir/targets/$1"
  rm -rf "$folder/findings"
  mkdir -p "$folder/corpus" "$folder/findings"
  local words=()
  [ ! -f "$folder/words" ] || words=(-dict="$folder/words")
  if RUST_BACKTRACE=0 FUZZ_TARGET="$name" "$program" "${options[@]}" "${words[@]}" -max_total_time="$seconds" -artifact_prefix="$folder/findings/" \
    "$folder/corpus" "fuzz/seeds/$name" >"$folder/log" 2>&1; then
    say "$name: $(grep -E '^Done ' "$folder/log" || echo done), $(grep -oE 'cov: [0-9]+' "$folder/log" | tail -n 1)"
    return 0
  fi
  {
    echo "fuzz: $name FAILED"
    # Without libFuzzer's progress.
    grep -vE '^#[0-9]+|^INFO:|^NEW_FUNC' "$folder/log" | tail -n 60
    for file in "$folder"/findings/*; do
      [ -f "$file" ] || continue
      echo "fuzz: the input, $(wc -c <"$file") bytes:"
      od -A d -t x1z -v "$file" | head -n 40
      echo "fuzz: the same for base64 -d: $(head -c 3000 "$file" | base64 -w 0)"
      echo "fuzz: again with: packaging/fuzz.sh $name $file"
    done
  } >&2
  return 1
}

# Configurations as they are: their words, and their lines, with what fuzz/src/input.rs puts between lines and words.
folder="$target_dir/targets/configuration"
mkdir -p "$folder/corpus"
grep -ohE 'QS_[A-Za-z]+' docs/directives.md | sort -u | sed 's/.*/"&"/' >"$folder/words"
for file in apache-conf/*.conf packaging/run.conf; do
  { grep -E '^ *QS_' "$file" || true; echo '?/app/index.php?a=b'; } | sed -E 's/^ *QS/0QS/; s/"//g; s/ +/\x1e/g' | tr '\n' '\035' >"$folder/corpus/$(basename "$file")"
done

say "${#targets[@]} targets, $seconds seconds each, $jobs at a time"
failed=0 running=0
for name in "${targets[@]}"; do
  if [ "$running" -ge "$jobs" ]; then
    wait -n || failed=$((failed + 1))
    running=$((running - 1))
  fi
  run "$name" &
  running=$((running + 1))
done
while [ "$running" -gt 0 ]; do
  wait -n || failed=$((failed + 1))
  running=$((running - 1))
done
[ "$failed" -eq 0 ] || { say "$failed of ${#targets[@]} targets found something"; exit 1; }
say "nothing found"
