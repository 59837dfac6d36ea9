# What the scripts in this folder share; sourced, not run. They work from the root of the project, put
# what they make into target/proof, and install the tools that are missing, saying so.

cd "$(dirname "${BASH_SOURCE[0]}")/../.."
out=$PWD/target/proof
mkdir -p "$out"

# The toolchain for what only a nightly compiler can do.
nightly=${NIGHTLY:-nightly}

say() { echo "proof: $*" >&2; }

# need_nightly COMPONENT...: the nightly toolchain with these components.
need_nightly() {
    if ! rustup toolchain list | grep -q "^$nightly"; then
        say "installing the Rust toolchain $nightly"
        rustup toolchain install "$nightly" --profile minimal
    fi
    local component installed
    installed=$(rustup component list --toolchain "$nightly" --installed)
    for component in "$@"; do
        if ! grep -q "^$component" <<<"$installed"; then
            say "installing $component for $nightly"
            rustup component add --toolchain "$nightly" "$component"
        fi
    done
}

# need_tool NAME VERSION: a cargo subcommand; one that is there already is taken in whatever version.
need_tool() {
    if ! command -v "$1" >/dev/null; then
        say "installing $1 $2, which takes a few minutes"
        cargo install "$1" --version "$2" --locked
    fi
}

# passed LOG: how many tests cargo says have passed.
passed() { sed -nE 's/^test result: ok\. ([0-9]+) passed.*/\1/p' "$1" | awk '{sum += $1} END {print sum + 0}'; }

# logged PART COMMAND...: runs the command into a log; shows the log and gives up where it fails.
logged() {
    local part=$1
    shift
    log=$out/$part.log
    if ! "$@" >"$log" 2>&1; then
        cat "$log" >&2
        echo "$part: failed, see $log"
        exit 1
    fi
}
