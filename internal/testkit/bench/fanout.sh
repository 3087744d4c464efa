#!/usr/bin/env bash
# Prints the table of the delivery engine's figures, each beside what it must
# reach; see package speed for the parts.
#
#   internal/testkit/bench/fanout.sh [-copies N] [-large N] [-runs N] [-direct N] [-domains N] [PART...]
#
# Parts: data bdat postgres dkim rtt memory flat small direct ingest; all unless named.
# Needs Go, smtp-source (Debian's postfix) for the ratios, and PostgreSQL for its
# row; it starts its own cluster unless PLENARY_TEST_POSTGRES names a server.
set -euo pipefail
cd "$(dirname "$0")/../../.."
bin=$(mktemp -d)
trap 'rm -rf "$bin"' EXIT
go build -o "$bin/plenary" ./cmd/plenary
go build -o "$bin/sink" ./internal/testkit/sink/cmd/sink
go build -o "$bin/world" ./internal/testkit/world/cmd/world
go build -o "$bin/speed" ./internal/testkit/bench/speed
"$bin/speed" -bin "$bin" "$@"
