#!/usr/bin/env bash
# Prints how fast an archive of MESSAGES is served by IMAP, beside Dovecot (mdbox, warm) and public-inbox-imapd with the
# same messages on the same machine, commands interleaved; then what is left of issue 4's table: mbsync of the whole,
# import, arrival one by one at full sync, idle connections over TLS, size on disk; and the same on PostgreSQL.
#
#   internal/testkit/bench/archive.sh [MESSAGES [ROUNDS]]
#
# The messages are the three real archives of the corpora beside the checkout (CORPORA names another folder), once, and
# variants of them with Message-IDs and subjects of their own. BULK=1 takes made ones (internal/testkit/bulk) instead.
# WORK=DIR keeps everything there, so that another run only measures. ROWS=TEXT measures only rows whose name has TEXT,
# PARTS="imap first mbsync import post idle disk" only those parts.
# Needs root (Dovecot and PostgreSQL change to users of theirs), Go, Debian's dovecot-imapd, isync, openssl; public-inbox
# and postgresql are left out where they are absent. Times are wall clock, in brackets the servers' processor
# time, a mean of as many.
set -euo pipefail
cd "$(dirname "$0")/../../.."
messages=${1:-20000} rounds=${2:-5} parts=" ${PARTS:-imap first mbsync import post idle disk} "
corpora=${CORPORA:-$(realpath "$PWD/../shared/corpora/archives" 2>/dev/null || realpath "$PWD/../../shared/corpora/archives")}
work=${WORK:-$(mktemp -d)} port=25910 started=()
mkdir -p "$work" && chmod 755 "$work"
finish() {
  for pid in "${started[@]}"; do kill "$pid" 2>/dev/null || true; done
  for pid in "${started[@]}"; do wait "$pid" 2>/dev/null || true; done
  [ -n "${WORK:-}" ] || rm -rf "$work"
}
trap finish EXIT
export CGO_ENABLED=0
go build -o "$work/plenary" ./cmd/plenary
go build -o "$work/archive" ./internal/testkit/bench/archive
has() { command -v "$1" >/dev/null 2>&1 || [ -x "/usr/sbin/$1" ]; }
await() { for _ in $(seq 200); do (: <"/dev/tcp/127.0.0.1/$1") 2>/dev/null && return; sleep 0.05; done; echo "nothing listens on $1" >&2; return 1; }
# per_second SECONDS: messages a second
per_second() { python3 -c "print('%.0f/s' % ($messages / ($1)))"; }
# at_pace RATE/s PACE: what that is where the limits were set; middle A B
at_pace() { python3 -c "print('%s, %.0f/s at the pace the limits were set at, %s of which this machine computed then' % ('$1', float('$1'[:-2]) / $2, '$2'))"; }
middle() { python3 -c "print('%.2f' % (($1 + $2) / 2))"; }
# stopwatch COMMAND...: runs it, its seconds into $took
stopwatch() { local begin; begin=$(date +%s.%N); "$@"; took=$(python3 -c "print($(date +%s.%N) - $begin)"); }

mbox=$work/archive.mbox
if [ ! -s "$mbox" ]; then
  if [ -n "${BULK:-}" ]; then "$work/archive" bulk -n "$messages"; else "$work/archive" mail -corpora "$corpora" -n "$messages"; fi >"$mbox"
fi
chmod 644 "$mbox"
octets=$(stat -c %s "$mbox")
echo "$messages messages, $((octets / 1000000)) MB"

# ours KIND: a Plenary with its data in $work/KIND on ports from $base
settings() {
  case $1 in plenary) base=$((port + 10)) dsn= ;; postgres) base=$((port + 20)) dsn="postgres://plenary@127.0.0.1:$((port + 3))/plenary?sslmode=disable" ;; esac
  home=$work/$1.d
  run_with=(env PLENARY_DATA_DIR="$home" PLENARY_DATABASE_DSN="$dsn" PLENARY_LOG_LEVEL=error PLENARY_SMTP_LISTEN=127.0.0.1:$base PLENARY_IMAP_LISTEN=127.0.0.1:$((base + 1))
    PLENARY_IMAP_TLS_LISTEN=127.0.0.1:$((base + 2)) PLENARY_IMAP_MAX_PER_IP=5000 PLENARY_SMTP_MAX_PER_IP=500 PLENARY_HTTP_LISTEN= PLENARY_HTTP_BASE_URL=https://lists.example.org PLENARY_OUTBOUND_MODE=catch
    PLENARY_TLS_CERT_FILE="$work/cert.pem" PLENARY_TLS_KEY_FILE="$work/key.pem" "$work/plenary")
}
ours() { settings "$1"; shift; "${run_with[@]}" "$@"; }
serve() {
  settings "$1"
  "${run_with[@]}" serve & started+=($!); declare -g "pid_$1=$!"
  await $((base + 1))
}
fill() { # a list with the archive and a reader, and one that is posted to
  settings "$1"
  mkdir -p "$home"
  ours "$1" list create bench@lists.example.org >/dev/null
  ours "$1" list create posts@lists.example.org --set nonsubscriber-action=accept --set archive-access=public --set hold-size=0 >/dev/null
  ours "$1" subscriber add bench@lists.example.org reader@example.org >/dev/null
  ours "$1" access reader@example.org >"$home/access"
  local before
  before=$("$work/archive" pace)
  stopwatch ours "$1" import mbox bench@lists.example.org "$mbox" >/dev/null
  echo "$took" >"$home/import"
  middle "$before" "$("$work/archive" pace)" >"$home/pace"
}
server() { # NAME PIDS: as the client wants it
  settings "$1"
  echo "$1,127.0.0.1:$((base + 1)),reader@example.org,$(cat "$home/access"),Lists/bench,$2"
}

[ -s "$work/cert.pem" ] || openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 -subj /CN=localhost \
  -keyout "$work/key.pem" -out "$work/cert.pem" 2>/dev/null

# Dovecot
imapd=$work/dovecot
mkdir -p "$imapd/run" "$imapd/state" "$imapd/home/source"
chmod 755 "$imapd" "$imapd/run" "$imapd/home/source"
cat >"$imapd/dovecot.conf" <<C
protocols = imap
listen = 127.0.0.1
base_dir = $imapd/run
state_dir = $imapd/state
log_path = $imapd/log
ssl = no
disable_plaintext_auth = no
first_valid_uid = 1
mail_location = mdbox:$imapd/home/mdbox
mail_max_userip_connections = 100
passdb {
  driver = static
  args = password=bench
}
userdb {
  driver = static
  args = uid=mail gid=mail home=$imapd/home
}
service imap-login {
  inet_listener imap {
    port = $((port + 1))
  }
  inet_listener imaps {
    port = 0
  }
}
service stats {
  unix_listener stats-writer {
    mode = 0666
  }
}
namespace inbox {
  inbox = yes
}
C
chown -R mail:mail "$imapd/home"
PATH=$PATH:/usr/sbin dovecot -F -c "$imapd/dovecot.conf" & started+=($!) pid_dovecot=$!
await $((port + 1))
if [ ! -s "$imapd/import" ]; then
  stopwatch doveadm -c "$imapd/dovecot.conf" import -u bench "mbox:$imapd/home/source:INBOX=$mbox:INDEX=MEMORY" "" all
  echo "$took" >"$imapd/import"
fi

# public-inbox
inbox=$work/public-inbox pid_public=
if has public-inbox-imapd; then
  export PI_CONFIG=$inbox/config
  if [ ! -s "$inbox/import" ]; then
    mkdir -p "$inbox"
    HOME=$inbox public-inbox-init -V2 bench "$inbox/bench" http://127.0.0.1/bench bench@lists.example.org >/dev/null 2>&1
    git config -f "$PI_CONFIG" publicinbox.bench.newsgroup bench.list
    stopwatch perl -MPublicInbox::Config -MPublicInbox::InboxWritable -e '
      PublicInbox::InboxWritable->new(PublicInbox::Config->new->lookup_name("bench"))->import_mbox(\*STDIN, "mboxrd")' <"$mbox" >"$inbox/log" 2>&1
    echo "$took" >"$inbox/import"
  fi
  HOME=$inbox public-inbox-imapd -W0 -l "imap://127.0.0.1:$((port + 2))" >"$inbox/log" 2>&1 & started+=($!) pid_public=$!
  await $((port + 2))
else
  echo "public-inbox is not here: left out"
fi

# PostgreSQL
pg=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | tail -1 || true) pid_pg=
if [ -n "$pg" ]; then
  mkdir -p "$work/pg" && chown postgres "$work/pg"
  as() { setpriv --reuid=postgres --regid=postgres --clear-groups env HOME="$work/pg" "$@"; }
  [ -s "$work/pg/data/PG_VERSION" ] || (cd "$work/pg" && as "$pg/initdb" -D "$work/pg/data" -U plenary -A trust -E UTF8 --locale=C.UTF-8 >/dev/null)
  (cd "$work/pg" && exec setpriv --reuid=postgres --regid=postgres --clear-groups "$pg/postgres" -D "$work/pg/data" -h 127.0.0.1 -p $((port + 3)) -k "$work/pg" \
    -c shared_buffers=256MB >"$work/pg/log" 2>&1) & started+=($!) pid_pg=$!
  await $((port + 3))
  ask() { as "$pg/psql" -qAt -h 127.0.0.1 -p $((port + 3)) -U plenary postgres -c "$1" 2>/dev/null; }
  for _ in $(seq 200); do ask 'SELECT 1' >/dev/null && break; sleep 0.1; done # it listens before it is ready
  [ "$(ask "SELECT 1 FROM pg_database WHERE datname = 'plenary'")" = 1 ] || ask 'CREATE DATABASE plenary'
else
  echo "PostgreSQL is not here: left out"
fi

[ -s "$work/plenary.d/import" ] || fill plenary
[ -z "$pid_pg" ] || [ -s "$work/postgres.d/import" ] || fill postgres

if [[ $parts == *" import "* ]]; then
  echo "== import of the mbox, index included (needs 4000/s)"
  imported() { at_pace "$(per_second "$(cat "$1/import")")" "$(cat "$1/pace")"; }
  echo "plenary        $(imported "$work/plenary.d")"
  [ -z "$pid_pg" ] || echo "on PostgreSQL  $(imported "$work/postgres.d")"
  echo "Dovecot        $(per_second "$(cat "$imapd/import")"), no search"
  [ -z "$pid_public" ] || echo "public-inbox   $(per_second "$(cat "$inbox/import")")"
fi
if [[ $parts == *" disk "* ]]; then
  echo "== size on disk over that of the mbox, index included (needs 0.75)"
  sizes() { python3 -c "print('%-14s %.2f (%d MB)' % ('$1', int('$2') / $octets, int('$2') / 1e6))"; }
  sizes plenary "$(du -bc "$work"/plenary.d/plenary.db* | tail -1 | cut -f1)"
  [ -z "$pid_pg" ] || sizes "on PostgreSQL" "$(as "$pg/psql" -At -h 127.0.0.1 -p $((port + 3)) -U plenary plenary -c 'SELECT pg_database_size(current_database())')"
  sizes Dovecot "$(du -bs "$imapd/home/mdbox" | cut -f1)"
  [ -z "$pid_public" ] || sizes public-inbox "$(du -bs "$inbox/bench" | cut -f1)"
fi

serve plenary
ours=$(server plenary "$pid_plenary") theirs="Dovecot,127.0.0.1:$((port + 1)),bench,bench,INBOX,$pid_dovecot" others=()
if [ -n "$pid_pg" ]; then
  serve postgres
  others+=(-server "$(server postgres "$pid_postgres+$pid_pg")")
fi
[ -z "$pid_public" ] || others+=(-server "public-inbox,127.0.0.1:$((port + 2)),anonymous,x,bench.list.0,$pid_public")
if [[ $parts == *" first "* ]]; then
  echo "== first after the start of Plenary"
  "$work/archive" run -first -only "ENVELOPE" -not newest -server "$ours" -server "$theirs" "${others[@]:0:2}"
fi
if [[ $parts == *" imap "* ]]; then
  echo "== commands, warm, the middle of $rounds"
  "$work/archive" run -rounds "$rounds" -only "${ROWS:-}" -server "$ours" -server "$theirs" "${others[@]}"
fi
if [[ $parts == *" mbsync "* ]]; then
  echo "== mbsync of the whole list, seconds (processor ms of the server)"
  pull() { # NAME PORT USER PASSWORD MAILBOX PIDS...; without COMPRESS where $packing is empty
    rm -rf "$work/mbsync" && mkdir -p "$work/mbsync"
    cat >"$work/mbsyncrc" <<C
FSync no
IMAPAccount there
Host 127.0.0.1
Port $2
User $3
Pass $4
SSLType None
AuthMechs LOGIN
${packing:-DisableExtension COMPRESS=DEFLATE}

IMAPStore far
Account there

MaildirStore near
Path $work/mbsync/
Inbox $work/mbsync/inbox
SubFolders Verbatim

Channel all
Far :far:$5
Near :near:
Sync Pull
Create Near
SyncState *
C
    local before after
    before=$("$work/archive" cpu "${@:6}" | cut -d' ' -f1)
    stopwatch mbsync -q -c "$work/mbsyncrc" all
    after=$("$work/archive" cpu "${@:6}" | cut -d' ' -f1)
    printf '%-14s %.1f (%d) %d messages\n' "$1" "$took" $((after - before)) "$(find "$work/mbsync" -type f -path '*/cur/*' -o -type f -path '*/new/*' | wc -l)"
  }
  for packing in "# as it is offered" "# as it is offered" ""; do
    [ -n "$packing" ] || echo "without COMPRESS, which Dovecot as it comes does not offer"
    settings plenary
    pull plenary $((base + 1)) reader@example.org "$(cat "$home/access")" Lists/bench "$pid_plenary"
    pull Dovecot $((port + 1)) bench bench INBOX "$pid_dovecot"
  done
  packing="# as it is offered"
  if [ -n "$pid_pg" ]; then
    settings postgres
    pull postgres $((base + 1)) reader@example.org "$(cat "$home/access")" Lists/bench "$pid_postgres" "$pid_pg"
  fi
  rm -rf "$work/mbsync"
fi
for kind in plenary ${pid_pg:+postgres}; do
  settings $kind
  pid=pid_$kind
  if [[ $parts == *" post "* ]]; then
    echo "== $kind: arriving one by one, full sync (needs 500/s)"
    before=$("$work/archive" pace)
    "$work/archive" post -addr 127.0.0.1:$base -from reader@example.org -list posts@lists.example.org -pid "${!pid}"
    echo "this machine computed $(middle "$before" "$("$work/archive" pace)") of the pace the limits were set at"
  fi
  if [[ $parts == *" idle "* ]]; then
    echo "== $kind: idle connections (needs 150 MB and 1 s)"
    "$work/archive" idle -addr 127.0.0.1:$((base + 2)) -user anonymous -password x -mailbox Lists/posts -pid "${!pid}" \
      -smtp 127.0.0.1:$base -from reader@example.org -list posts@lists.example.org
  fi
done
