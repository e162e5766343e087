# Short names for the commands of CONTRIBUTING.md. `just` alone lists them.

_default:
    @just --list

# Format and lints: the quick check before a commit.
check:
    cargo fmt --check
    cargo clippy --locked --workspace --all-targets -- -D warnings

# All Rust tests, or those whose name contains a text: just test kill_switch
test *filter:
    cargo test --locked --workspace {{ filter }}

# `kill -9` at every failpoint between the claim and the end.
crash:
    cargo test --locked --features failpoints --test it -- crash

# The demo with logs: a simulated manager, people, and an agent that requests responses.
dev:
    COUNTERSIGN_LOG=info cargo run --locked -- demo

# The demo; `just demo --once` plays and checks the whole story.
demo *args:
    cargo run --locked -- demo {{ args }}

# Rewrite the golden files, then show what changed.
golden:
    UPDATE_EXPECT=1 cargo test --locked --workspace
    git diff --stat

# Syncs, CPU and requests a second of the program as it ships (docs/performance.md).
bench-load *args: release
    python3 benches/load.py target/release/countersign {{ args }}

# The program as it ships, in target/release.
release:
    cargo build --locked --release
