# Recipes for development; `just --list` names them. They use the environment that is active.

default:
    @just --list

# the tests, as README.md runs them
test *arguments:
    pytest -n 2 --dist loadfile {{arguments}}

# style, and the one-way street between the packages
lint:
    ruff check
    ruff format --check
    lint-imports

types:
    mypy
    pyright

# are the committed outputs what the settings say?
check:
    oneiric compile --check --strict

# what is kept of outputs, written again: snapshots, golden cases, examples of diagnostics, imports of a start
golden:
    find tests -name __snapshots__ -prune -exec rm -r {} +
    pytest -q -n 2 --dist loadfile --snapshot-update -m "golden or syrupy_snapshot"

# the unit tests on every other supported interpreter that is present, and their outputs compared
versions:
    python tests/determinism/environments.py test

# all that is made from something else: schemas, tables, lists, examples and the page of diagnostics, the outputs
generate:
    pytest -q --snapshot-update tests/golden/test_golden_examples.py
    python -m oneiric_compiler.pages
    oneiric compile

# constraints.txt: what an environment that `dev` was installed into holds; what differs by interpreter stays
pin:
    { sed -n '/^#/p; /;/p' constraints.txt; pip freeze --exclude-editable | tr A-Z_ a-z- | grep -v '^django=='; } > constraints.new
    mv constraints.new constraints.txt

# this project beside the field, in environments of its own, into benchmarks/results
bench *arguments:
    python -m benchmarks.field {{arguments}}

# this project against its own targets, as docs/performance.md lists them
targets *arguments:
    python -m benchmarks {{arguments}}

# a compile and a sync killed at random moments, many times
crash rounds="1000":
    ONEIRIC_CRASH_ROUNDS={{rounds}} pytest -s tests/write/test_write_crash.py tests/remote/test_remote_disk.py

# the campaigns against it, of so many cases as a minute is too short for; `just attack settings --seed 7`
attack *arguments:
    python -m tests.attacks {{arguments}}

# embedding/sentence-transformers, in an environment that has PyTorch
embeddings:
    pytest -n 0 tests/backends/embedding_sentence_transformers.py

demo:
    oneiric demo

# everything that a change has to pass, in an environment of its own
ci:
    .ci/run
