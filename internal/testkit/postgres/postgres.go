// Package postgres starts a real PostgreSQL for tests: one cluster for the
// test process, one fresh database for each caller.
//
// The server of tests does not wait for the disk: what they kill is our program,
// never the machine. That of benchmarks does, as everybody's does.
//
// The server is found in PATH or in Debian's /usr/lib/postgresql. It runs below
// a small shell that waits on a pipe held by the test process: when the tests
// end, however they end, the pipe closes, the server stops and its folder goes.
// PLENARY_TEST_POSTGRES may name a running server instead (a DSN of a role that
// may create databases).
package postgres

import (
	"context"
	"flag"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"plenary/internal/testkit/real"
)

const startTimeout = 60 * time.Second

// Server is one cluster; its folder goes when the test process ends.
type Server struct {
	DSN   string         // of the maintenance database
	stdin io.WriteCloser // of its shell; stays open until this process ends
	log   string
}

// shared is the one server of this test process.
var shared struct { //nolint:gochecknoglobals // one server a process
	once sync.Once
	*Server
	err error
}

var made atomic.Int64 // databases

// template is the database that copies are made of.
var template struct { //nolint:gochecknoglobals // one a process
	once sync.Once
	name string
	err  error
}

// How a server treats its disk: the options of its command line.
const (
	synced   = ""
	unsynced = "-c fsync=off -c full_page_writes=off -c max_wal_size=256MB" // which may be memory
)

// Own starts a server that the test may stop and start.
func Own(t testing.TB) *Server {
	t.Helper()
	s, err := start(unsynced)
	if err != nil {
		real.Missing(t, "PostgreSQL", err)
	}
	if s.stdin == nil {
		t.Skip("skipped: PLENARY_TEST_POSTGRES names a server that cannot be stopped")
	}
	t.Cleanup(func() { _ = s.stdin.Close() })
	return s
}

// Open starts a server for a program that is no test, until stop or its end.
func Open() (dsn string, stop func(), err error) {
	s, err := start(synced)
	if err != nil {
		return "", nil, err
	}
	return s.DSN, func() {
		if s.stdin != nil {
			_ = s.stdin.Close()
		}
	}, nil
}

// Stop ends the server; its connections break.
func (s *Server) Stop(t testing.TB) {
	t.Helper()
	if _, err := io.WriteString(s.stdin, "stop\n"); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if ping(s.DSN) != nil {
			return
		}
	}
	t.Fatal("PostgreSQL does not stop")
}

// Start starts it again and waits until it answers.
func (s *Server) Start(t testing.TB) {
	t.Helper()
	if _, err := io.WriteString(s.stdin, "start\n"); err != nil {
		t.Fatal(err)
	}
	if err := await(s.DSN, s.log); err != nil {
		t.Fatal(err)
	}
}

// DSN gives a fresh, empty database. Without PostgreSQL the test is skipped, or
// fails when real peers are required.
func DSN(t testing.TB) string {
	t.Helper()
	return fresh(t, "")
}

// Copy gives a fresh database that is a copy of what prepare made of an empty one;
// the first caller's prepare serves the whole test process.
func Copy(t testing.TB, prepare func(dsn string) error) string {
	t.Helper()
	s := server(t)
	template.once.Do(func() {
		var dsn string
		if template.name, dsn, template.err = s.create(""); template.err == nil {
			template.err = prepare(dsn)
		}
	})
	if template.err != nil {
		t.Fatal(template.err)
	}
	return fresh(t, template.name)
}

// server starts the one server of this process, or says that there is none.
func server(t testing.TB) *Server {
	t.Helper()
	shared.once.Do(func() {
		how := unsynced
		if f := flag.Lookup("test.bench"); f != nil && f.Value.String() != "" {
			how = synced
		}
		shared.Server, shared.err = start(how)
	})
	if shared.err != nil {
		real.Missing(t, "PostgreSQL", shared.err)
	}
	return shared.Server
}

// fresh makes a database that goes when the test ends, like the template if it has a
// name.
func fresh(t testing.TB, template string) string {
	t.Helper()
	s := server(t)
	name, dsn, err := s.create(template)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { drop(s.DSN, name) })
	return dsn
}

func (s *Server) create(template string) (name, dsn string, err error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, s.DSN)
	if err != nil {
		return "", "", err
	}
	defer func() { _ = conn.Close(ctx) }()
	name = fmt.Sprintf("plenary_%d_%d", os.Getpid(), made.Add(1))
	query := "CREATE DATABASE " + name
	if template != "" {
		query += " TEMPLATE " + template
	}
	if _, err := conn.Exec(ctx, query); err != nil {
		return "", "", err
	}
	u, err := url.Parse(s.DSN)
	if err != nil {
		return "", "", err
	}
	u.Path = "/" + name
	return name, u.String(), nil
}

func drop(dsn, name string) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return
	}
	defer func() { _ = conn.Close(ctx) }()
	_, _ = conn.Exec(ctx, "DROP DATABASE IF EXISTS "+name+" WITH (FORCE)")
}

func find(name string) (string, error) {
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin/" + name)
	sort.Strings(dirs)
	if len(dirs) > 0 {
		return dirs[len(dirs)-1], nil
	}
	return exec.LookPath(name)
}

// start runs initdb and the server; the server refuses to run as root, so then
// it runs as the user postgres. How is synced or unsynced.
func start(how string) (*Server, error) {
	if dsn := os.Getenv("PLENARY_TEST_POSTGRES"); dsn != "" {
		return &Server{DSN: dsn}, nil
	}
	initdb, err := find("initdb")
	if err != nil {
		return nil, err
	}
	server, err := find("postgres")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "plenary-pg-")
	if err != nil {
		return nil, err
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return nil, err
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return nil, err
		}
	}
	port, err := real.Port("127.0.0.1")
	if err != nil {
		return nil, err
	}
	const script = `trap '' INT TERM
"$1" -D "$3/data" -U plenary -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$3/log" 2>&1 || exit 1
disk=$5
run() { "$1" -D "$2/data" -h 127.0.0.1 -p "$3" -k "$2" -c max_connections=200 -c shared_buffers=64MB $disk >>"$2/log" 2>&1 </dev/null & pid=$!; }
run "$2" "$3" "$4"
while read -r word; do
  case $word in
    stop) kill -INT $pid; wait $pid ;;
    start) run "$2" "$3" "$4" ;;
  esac
done
kill -QUIT $pid
wait $pid
rm -rf "$3"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", initdb, server, dir, strconv.Itoa(port), how)
	cmd.SysProcAttr, cmd.Dir = attr, dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + dir}
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	dsn := fmt.Sprintf("postgres://plenary@127.0.0.1:%d/postgres?sslmode=disable", port)
	s := &Server{DSN: dsn, stdin: stdin, log: filepath.Join(dir, "log")}
	return s, await(dsn, s.log)
}

func await(dsn, log string) error {
	deadline := time.Now().Add(startTimeout)
	for {
		err := ping(dsn)
		if err == nil {
			return nil
		}
		if time.Now().After(deadline) {
			text, _ := os.ReadFile(log)
			return fmt.Errorf("PostgreSQL does not answer: %w\n%s", err, text)
		}
		time.Sleep(50 * time.Millisecond)
	}
}

func ping(dsn string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	conn, err := pgx.Connect(ctx, dsn)
	if err != nil {
		return err
	}
	return conn.Close(ctx)
}
