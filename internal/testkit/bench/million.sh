#!/usr/bin/env bash
# Prints how an archive of POSTS (a million unless said) is served: what a mail program asks, the memory meanwhile, and
# how fast more is imported into it. DIR is kept: the list is made there once (an hour on two cores), by
# internal/testkit/bulk in the measured shape of real archives, messages cut to 24 kB, and another run only measures.
#
#   internal/testkit/bench/million.sh DIR [POSTS [MORE]]
#
# MORE (0 unless said) messages are imported into it at the end, and stay. ON=postgres keeps it in a PostgreSQL of its own
# in DIR, which needs root and Debian's postgresql. Needs Go. Times are wall clock, in brackets processor time.
set -euo pipefail
cd "$(dirname "$0")/../../.."
dir=$(realpath -m "$1") posts=${2:-1000000} more=${3:-0} port=25950 pid= pid_pg= dsn=sqlite:$dir/plenary.db
mkdir -p "$dir"
trap 'for p in $pid $pid_pg; do kill -INT "$p"; wait "$p" || true; done' EXIT
export CGO_ENABLED=0
if [ "${ON:-}" = postgres ]; then
  pg=$(ls -d /usr/lib/postgresql/*/bin | tail -1) dsn="postgres://plenary@127.0.0.1:$((port + 2))/postgres?sslmode=disable"
  mkdir -p "$dir/pg" && chmod 755 "$dir" && chown postgres "$dir/pg"
  as() { cd "$dir/pg" && exec setpriv --reuid=postgres --regid=postgres --clear-groups "$@"; }
  [ -s "$dir/pg/data/PG_VERSION" ] || (as "$pg/initdb" -D "$dir/pg/data" -U plenary -A trust -E UTF8 --locale=C.UTF-8 >/dev/null)
  (as "$pg/postgres" -D "$dir/pg/data" -h 127.0.0.1 -p $((port + 2)) -k "$dir/pg" -c shared_buffers=1GB -c max_wal_size=4GB >"$dir/pg/log" 2>&1) & pid_pg=$!
  for _ in $(seq 600); do (as "$pg/psql" -qAt -h 127.0.0.1 -p $((port + 2)) -U plenary postgres -c 'SELECT 1') >/dev/null 2>&1 && break; sleep 0.1; done
  export PLENARY_DATABASE_DSN=$dsn
fi
go build -o "$dir/plenary" ./cmd/plenary
go build -o "$dir/archive" ./internal/testkit/bench/archive
echo "== questions to the archive (internal/testkit/bulk)"
PLENARY_BULK=$posts PLENARY_BULK_DSN=$dsn go test ./internal/testkit/bulk -run Figures -v -timeout 4h | grep -v '^=== \|^--- \|^ok\|^PASS'
export PLENARY_DATA_DIR=$dir PLENARY_LOG_LEVEL=error PLENARY_SMTP_LISTEN=127.0.0.1:$port PLENARY_IMAP_LISTEN=127.0.0.1:$((port + 1)) \
  PLENARY_HTTP_LISTEN= PLENARY_HTTP_BASE_URL=https://lists.example.org PLENARY_OUTBOUND_MODE=catch
if [ ! -s "$dir/access" ]; then
  "$dir/plenary" subscriber add list@lists.example.org reader@example.org >/dev/null
  "$dir/plenary" access reader@example.org >"$dir/access"
fi
"$dir/plenary" serve & pid=$!
for _ in $(seq 200); do (: <"/dev/tcp/127.0.0.1/$((port + 1))") 2>/dev/null && break; sleep 0.05; done
access=$(cat "$dir/access")
for rows in SELECT STATUS newest SEARCH SORT THREAD; do
  "$dir/archive" run -rounds 3 -only $rows -server "plenary,127.0.0.1:$((port + 1)),reader@example.org,$access,Lists/list,$pid${pid_pg:++$pid_pg}" | grep -v '^ms'
done
if [ "$more" -gt 0 ]; then
  "$dir/archive" bulk -n "$more" -seed "$(date +%s)" >"$dir/more.mbox"
  pace=$("$dir/archive" pace) begin=$(date +%s.%N)
  "$dir/plenary" import mbox list@lists.example.org "$dir/more.mbox"
  rate=$(python3 -c "print($more / ($(date +%s.%N) - $begin))")
  python3 -c "pace = ($pace + $("$dir/archive" pace)) / 2; print('import into it: %.0f/s, %.0f/s at the pace the limits were set at, %.2f of which this machine computed then' % ($rate, $rate / pace, pace))"
  rm "$dir/more.mbox"
fi
