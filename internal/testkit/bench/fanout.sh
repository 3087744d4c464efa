#!/usr/bin/env bash
# Prints how fast one post of 3 kB reaches COPIES subscribers, one personal copy
# and one durable record each, beside smtp-source (which only repeats bytes)
# against the same sink on the same machine, runs interleaved.
#
#   internal/testkit/bench/fanout.sh [COPIES [RUNS]]
#
# Needs Go, curl, python3 and smtp-source (Debian's postfix). DSN=postgres://... measures
# PostgreSQL instead of SQLite at full sync.
set -euo pipefail
cd "$(dirname "$0")/../../.."
copies=${1:-100000} runs=${2:-3} work=$(mktemp -d) port=25990
source_=$(command -v smtp-source || echo /usr/sbin/smtp-source)
trap 'kill $(jobs -p) 2>/dev/null || true; rm -rf "$work"' EXIT
go build -o "$work/plenary" ./cmd/plenary
go build -o "$work/sink" ./internal/testkit/sink/cmd/sink
export PLENARY_DATA_DIR=$work PLENARY_LOG_LEVEL=error PLENARY_SMTP_LISTEN=127.0.0.1:$((port + 1)) PLENARY_IMAP_LISTEN= PLENARY_HTTP_LISTEN= \
  PLENARY_OUTBOUND_RELAY=127.0.0.1:$port PLENARY_HTTP_BASE_URL=https://lists.example.org
[ -z "${DSN:-}" ] || export PLENARY_DATABASE_DSN=$DSN
python3 -c "for i in range($copies): print('reader%d@example.org,Reader %d' % (i, i))" >"$work/people.csv"
"$work/plenary" list create bench@lists.example.org --set hold-size=0 >/dev/null
"$work/plenary" subscriber import bench@lists.example.org "$work/people.csv"

# sink MODE: starts it; its summary lands in $work/summary when it is stopped.
sink() {
  local flags=(-listen 127.0.0.1:$port -count-only)
  [ "$1" = BDAT ] || flags+=(-no-chunking)
  "$work/sink" "${flags[@]}" >"$work/summary" 2>/dev/null &
  sink=$!
  for _ in $(seq 100); do (: </dev/tcp/127.0.0.1/$port) 2>/dev/null && return; sleep 0.05; done
}
unsink() { kill -INT $sink; wait $sink || true; }

printf '%-6s %-14s %-14s %-7s %-12s %-12s %-9s\n' way smtp-source/s plenary/s ratio cpu-s/1000 first-ms rss-MB
for run in $(seq "$runs"); do
  for way in DATA BDAT; do
    sink $way
    begin=$(date +%s.%N)
    "$source_" -d -s 10 -l 3000 -m 50000 -f a@example.org -t b@example.org 127.0.0.1:$port
    end=$(date +%s.%N)
    unsink
    base=$(python3 -c "print(50000 / ($end - $begin))")
    sink $way
    /usr/bin/env python3 - "$work" "$port" "$copies" "$run$way" "$base" "$way" "$sink" <<'P'
import json, os, resource, signal, smtplib, subprocess, sys, time
work, port, copies, tag, base, way, sink = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], float(sys.argv[5]), sys.argv[6], int(sys.argv[7])
serve = subprocess.Popen([work + '/plenary', 'serve'])
for _ in range(200):
    try:
        s = smtplib.SMTP('127.0.0.1', port + 1); break
    except OSError:
        time.sleep(0.05)
text = ''.join('A line of the post, about sixty octets, number %s %d of many.\r\n' % (tag, i) for i in range(44))
s.sendmail('reader1@example.org', ['bench@lists.example.org'], 'From: reader1@example.org\r\nTo: bench@lists.example.org\r\nSubject: %s\r\nMessage-ID: <%s.%f@example.org>\r\n\r\n%s' % (tag, tag, time.time(), text))
accepted = time.time()
s.quit()
while True:
    q = json.loads(subprocess.run([work + '/plenary', 'queue', 'status', '--json'], capture_output=True).stdout)
    if q['active'] == 0 and q['waiting'] == 0: break
    time.sleep(0.2)
status = open('/proc/%d/status' % serve.pid).read()
rss = int(status.split('VmHWM:')[1].split()[0]) / 1024
ticks = open('/proc/%d/stat' % serve.pid).read().rsplit(')', 1)[1].split()
cpu = (int(ticks[11]) + int(ticks[12])) / os.sysconf('SC_CLK_TCK')
serve.send_signal(signal.SIGINT); serve.wait()
os.kill(sink, signal.SIGINT)
while True:
    try: out = json.load(open(work + '/summary')); break
    except ValueError: time.sleep(0.05)
from datetime import datetime
at = lambda t: datetime.fromisoformat(t[:26].rstrip('Z') + '+00:00').timestamp()
assert out['Messages'] == copies, out
rate = copies / (at(out['Last']) - at(out['First']))
print('%-6s %-14.0f %-14.0f %-7.2f %-12.4f %-12.1f %-9.0f' % (way, base, rate, rate / base, cpu / copies * 1000, (at(out['First']) - accepted) * 1000, rss))
P
    wait $sink || true
  done
done
