// Package postgres starts a real PostgreSQL for tests: one cluster for the
// test process, one fresh database for each caller.
//
// The server is found in PATH or in Debian's /usr/lib/postgresql. It runs below
// a small shell that waits on a pipe held by the test process: when the tests
// end, however they end, the pipe closes, the server stops and its folder goes.
// PLENARY_TEST_POSTGRES may name a running server instead (a DSN of a role that
// may create databases).
package postgres

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/url"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"sort"
	"strconv"
	"sync"
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
	mu  sync.Mutex
	n   int
}

// Own starts a server that the test may stop and start.
func Own(t testing.TB) *Server {
	t.Helper()
	s, err := start()
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
	s, err := start()
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
	shared.once.Do(func() { shared.Server, shared.err = start() })
	if shared.err != nil {
		real.Missing(t, "PostgreSQL", shared.err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, shared.DSN)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(ctx) }()
	shared.mu.Lock()
	shared.n++
	name := fmt.Sprintf("plenary_%d_%d", os.Getpid(), shared.n)
	shared.mu.Unlock()
	if _, err := conn.Exec(ctx, "CREATE DATABASE "+name); err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(shared.DSN)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	t.Cleanup(func() { drop(shared.DSN, name) })
	return u.String()
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
// it runs as the user postgres.
func start() (*Server, error) {
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
	port, err := freePort()
	if err != nil {
		return nil, err
	}
	const script = `trap '' INT TERM
"$1" -D "$3/data" -U plenary -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$3/log" 2>&1 || exit 1
run() { "$1" -D "$2/data" -h 127.0.0.1 -p "$3" -k "$2" -c max_connections=200 -c shared_buffers=64MB >>"$2/log" 2>&1 </dev/null & pid=$!; }
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
	cmd := exec.Command("/bin/sh", "-c", script, "sh", initdb, server, dir, strconv.Itoa(port))
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

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
