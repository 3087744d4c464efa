package queue_test

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"os/signal"
	"runtime/pprof"
	"strings"
	"syscall"
	"testing"
	"time"

	"plenary/internal/outbound/queue"
	"plenary/internal/outbound/smtpout"
	"plenary/internal/store"
	"plenary/internal/testkit/sink"
)

// The test binary runs itself again as another process: an engine that may be
// killed, or a sink whose time and memory are not the engine's.
const roleVar = "PLENARY_QUEUE_TEST_ROLE"

func TestMain(m *testing.M) {
	switch os.Getenv(roleVar) {
	case "engine":
		engineChild()
	case "sink":
		sinkChild()
	default:
		os.Exit(m.Run())
	}
}

type engineOrder struct {
	DSN, Relay, Node string
	Resolver, Port   string // in the place of Relay: straight to mail hosts
	Limits           string // of them
	Connections      int
	Unit             int
	Window           int
	BodySize         int
	Unrecorded       int
	Quick            bool // try again at once
	Until            int64
}

// engineChild runs an engine until it is killed or interrupted.
func engineChild() {
	var o engineOrder
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.Unmarshal([]byte(os.Getenv("PLENARY_QUEUE_TEST_ORDER")), &o); err != nil {
		fail(err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	s, err := store.Open(ctx, o.DSN, nil)
	if err != nil {
		fail(err)
	}
	relay := &smtpout.Relay{Addr: o.Relay, Hello: "lists.example.org", Window: o.Window}
	opt := queue.Options{Store: s, Composer: &composer{size: o.BodySize}, Connect: relay.Connect, Node: o.Node,
		Connections: o.Connections, UnitSize: o.Unit, Unrecorded: o.Unrecorded,
		Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))}
	if o.Resolver != "" {
		n := &internet{port: o.Port}
		if opt.Router, err = n.way(o.Resolver, o.Limits, smtpout.Timeouts{}); err != nil {
			fail(err)
		}
	}
	if o.Quick {
		opt.Retry = []time.Duration{10 * time.Millisecond}
		opt.Backoff = []time.Duration{time.Millisecond, 10 * time.Millisecond}
	}
	e := queue.New(opt)
	if path := os.Getenv("PLENARY_QUEUE_TEST_PROFILE"); path != "" {
		f, err := os.Create(path)
		if err != nil {
			fail(err)
		}
		_ = pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	fmt.Println("ready")
	if err := e.Run(ctx); err != nil {
		fail(err)
	}
	st := e.Stats()
	fmt.Printf("sent %d lost %d\n", st.Sent, st.Lost)
	_ = s.Close()
}

// sinkChild runs a sink; each line on its input is answered with its counts.
func sinkChild() {
	var o sink.Options
	if err := json.Unmarshal([]byte(os.Getenv("PLENARY_QUEUE_TEST_ORDER")), &o); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	k, err := sink.Start(o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if path := os.Getenv("PLENARY_QUEUE_TEST_PROFILE"); path != "" {
		f, _ := os.Create(path + ".sink")
		_ = pprof.StartCPUProfile(f)
		defer pprof.StopCPUProfile()
	}
	fmt.Println(k.Addr())
	in := bufio.NewScanner(os.Stdin)
	for in.Scan() {
		snap := k.Snapshot()
		var u syscall.Rusage
		_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
		fmt.Println(snap.Messages, snap.First.UnixNano(), snap.Last.UnixNano(), len(snap.Letters), u.Utime.Nano()+u.Stime.Nano())
		if in.Text() == "reset" {
			k.Reset()
		}
	}
}

// child starts the test binary in a role.
func child(t testing.TB, role string, order any) *exec.Cmd {
	t.Helper()
	text, err := json.Marshal(order)
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), roleVar+"="+role, "PLENARY_QUEUE_TEST_ORDER="+string(text))
	cmd.Stderr = &logLines{t: t}
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	return cmd
}

// logLines passes a child's log on to the test's.
type logLines struct{ t testing.TB }

func (l *logLines) Write(p []byte) (int, error) {
	if testing.Verbose() {
		l.t.Log(strings.TrimSpace(string(p)))
	}
	return len(p), nil
}

// startChild starts it and reads its first line.
func startChild(t testing.TB, cmd *exec.Cmd) (first string, out *bufio.Scanner) {
	t.Helper()
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out = bufio.NewScanner(pipe)
	if !out.Scan() {
		t.Fatal("the child said nothing")
	}
	return out.Text(), out
}
