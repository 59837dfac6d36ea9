#!/usr/bin/env bash
# Says in one line per tool what is missing, and what to install; silent when all is there.
set -u

missing=0
need() { # need COMMAND WHAT-TO-INSTALL
    if ! command -v "$1" >/dev/null 2>&1; then
        echo "missing: $1 - install $2" >&2
        missing=1
    fi
}
at_least() { # at_least WHAT COMMAND-THAT-EXITS-0-IF-SO WHAT-TO-INSTALL
    if ! eval "$2" >/dev/null 2>&1; then
        echo "missing: $1 - install $3" >&2
        missing=1
    fi
}

python=${PYTHON:-python3}
need cc "a C compiler, as gcc or clang"
need cargo "Rust 1.88 or later, with rustup"
need node "Node.js 20 or later"
need npm "npm, which comes with Node.js"
need "$python" "Python 3.11 or later, or name one by PYTHON=..."
[ "$missing" = 0 ] || exit 1

at_least "Rust 1.88" 'cargo --version | grep -qE " 1\.(8[89]|9[0-9]|[1-9][0-9]{2})\.| [2-9]\."' "it with: rustup update stable"
at_least "rustfmt" "cargo fmt --version" "it with: rustup component add rustfmt"
at_least "clippy" "cargo clippy --version" "it with: rustup component add clippy"
at_least "Node.js 20" 'node -e "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)"' "Node.js 20 or later"
at_least "Python 3.11" "$python -c 'import sys; sys.exit(sys.version_info < (3, 11))'" "Python 3.11 or later, or name one by PYTHON=..."
at_least "Python's venv and pip" "$python -c 'import venv, ensurepip'" "python3-venv"
exit "$missing"
