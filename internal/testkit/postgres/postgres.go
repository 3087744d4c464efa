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

// cluster is the one server of this test process.
type cluster struct {
	once  sync.Once
	dsn   string // of the maintenance database
	err   error
	stdin io.Closer // held so that it stays open until this process ends
	mu    sync.Mutex
	n     int
}

var shared = &cluster{} //nolint:gochecknoglobals // one server a process

// DSN gives a fresh, empty database. Without PostgreSQL the test is skipped, or
// fails when real peers are required.
func DSN(t testing.TB) string {
	t.Helper()
	shared.once.Do(func() { shared.dsn, shared.err = start() })
	if shared.err != nil {
		real.Missing(t, "PostgreSQL", shared.err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	conn, err := pgx.Connect(ctx, shared.dsn)
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
	u, err := url.Parse(shared.dsn)
	if err != nil {
		t.Fatal(err)
	}
	u.Path = "/" + name
	t.Cleanup(func() { drop(shared.dsn, name) })
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
func start() (string, error) {
	if dsn := os.Getenv("PLENARY_TEST_POSTGRES"); dsn != "" {
		return dsn, nil
	}
	initdb, err := find("initdb")
	if err != nil {
		return "", err
	}
	server, err := find("postgres")
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "plenary-pg-")
	if err != nil {
		return "", err
	}
	attr := &syscall.SysProcAttr{Setpgid: true}
	if os.Getuid() == 0 {
		u, err := user.Lookup("postgres")
		if err != nil {
			return "", err
		}
		uid, _ := strconv.ParseUint(u.Uid, 10, 32)
		gid, _ := strconv.ParseUint(u.Gid, 10, 32)
		attr.Credential = &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}
		if err := os.Chown(dir, int(uid), int(gid)); err != nil {
			return "", err
		}
	}
	port, err := freePort()
	if err != nil {
		return "", err
	}
	const script = `trap '' INT TERM
"$1" -D "$3/data" -U plenary -A trust -E UTF8 --locale=C.UTF-8 --no-sync >"$3/log" 2>&1 || exit 1
"$2" -D "$3/data" -h 127.0.0.1 -p "$4" -k "$3" -c max_connections=200 -c shared_buffers=64MB >>"$3/log" 2>&1 </dev/null &
pid=$!
read -r _
kill -QUIT $pid
wait $pid
rm -rf "$3"`
	cmd := exec.Command("/bin/sh", "-c", script, "sh", initdb, server, dir, strconv.Itoa(port))
	cmd.SysProcAttr, cmd.Dir = attr, dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "LC_ALL=C.UTF-8", "HOME=" + dir}
	if shared.stdin, err = cmd.StdinPipe(); err != nil {
		return "", err
	}
	if err := cmd.Start(); err != nil {
		return "", err
	}
	dsn := fmt.Sprintf("postgres://plenary@127.0.0.1:%d/postgres?sslmode=disable", port)
	return dsn, await(dsn, filepath.Join(dir, "log"))
}

func await(dsn, log string) error {
	deadline := time.Now().Add(startTimeout)
	for {
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		conn, err := pgx.Connect(ctx, dsn)
		if err == nil {
			err = conn.Close(ctx)
		}
		cancel()
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

func freePort() (int, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return 0, err
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port, nil
}
