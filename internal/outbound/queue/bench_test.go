package queue_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"plenary/internal/model"
	"plenary/internal/outbound/queue"
	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
	"plenary/internal/testkit/sink"
)

// BenchmarkFanout sends one post of 3 kB to PLENARY_BENCH_RECIPIENTS people
// (20,000) over 10 connections, each copy with its own reverse path and
// unsubscribe field and its own durable row, and reports copies a second, CPU
// seconds and peak memory of the sending process, and the ratio to Postfix's
// smtp-source where that is installed, run just before against the same sink.
// The time is the sink's, from the first copy it took to the last.
func BenchmarkFanout(b *testing.B) {
	n := 20_000
	if v, err := strconv.Atoi(os.Getenv("PLENARY_BENCH_RECIPIENTS")); err == nil {
		n = v
	}
	for _, v := range []struct {
		name string
		o    sink.Options
		dsn  func() string
	}{
		{"sqlite/data", sink.Options{NoChunking: true}, nil},
		{"sqlite/bdat", sink.Options{}, nil},
		{"postgres/data", sink.Options{NoChunking: true}, func() string { return postgres.DSN(b) }},
		{"sqlite/data-20ms", sink.Options{NoChunking: true, Latency: 20 * time.Millisecond}, nil},
		{"sqlite/bdat-20ms", sink.Options{Latency: 20 * time.Millisecond}, nil},
	} {
		b.Run(v.name, func(b *testing.B) {
			v.o.ForgetLetters = true
			dsn := "sqlite:" + filepath.Join(b.TempDir(), "q.db")
			if v.dsn != nil {
				dsn = v.dsn()
			}
			people := n
			if v.o.Latency > 0 {
				people = n / 10
			}
			fanout(b, dsn, v.o, people)
		})
	}
}

func fanout(b *testing.B, dsn string, o sink.Options, people int) {
	r := newRig(b, dsn)
	r.subscribers(r.list.ID, 1, people)
	k := startSinkChild(b, o)
	source := 0.0
	if o.Latency == 0 {
		source = k.smtpSource(b, min(people, 50_000))
	}
	knob := func(name string) int { n, _ := strconv.Atoi(os.Getenv("PLENARY_BENCH_" + name)); return n }
	cmd := child(b, "engine", engineOrder{DSN: dsn, Relay: k.addr, Node: "bench", Window: knob("WINDOW"), Unit: knob("UNIT"), Connections: knob("CONNECTIONS"), Unrecorded: knob("UNRECORDED")})
	if _, out := startChild(b, cmd); out == nil {
		b.Fatal("no engine")
	}
	b.ResetTimer()
	var took, sinkCPU time.Duration
	for range b.N {
		k.counts("reset")
		had, _, _ := k.counts("")
		sinkCPU -= k.cpu
		r.await(r.distribute(r.list.ID, model.LanePost))
		have, first, last := k.counts("")
		sinkCPU += k.cpu
		took += last.Sub(first)
		if have-had != int64(people) {
			b.Fatalf("%d of %d copies arrived", have-had, people)
		}
	}
	b.StopTimer()
	rate := float64(people*b.N) / took.Seconds()
	peak := peakMemory(cmd.Process.Pid)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	u := cmd.ProcessState
	b.ReportMetric(rate, "copies/s")
	b.ReportMetric((u.UserTime()+u.SystemTime()).Seconds()*1000/float64(people*b.N), "cpu-s/1000")
	b.ReportMetric(sinkCPU.Seconds()*1000/float64(people*b.N), "sink-cpu-s/1000")
	b.ReportMetric(peak, "peak-MB")
	if source > 0 {
		b.ReportMetric(rate/source, "x-smtp-source")
	}
	b.ReportMetric(0, "ns/op")
}

// BenchmarkFirstCopy measures the time from the commit of a post to a list of
// 100,000 to the first copy on the wire, and from that of a house letter; the
// engine has been idle and has no connection open.
func BenchmarkFirstCopy(b *testing.B) {
	for _, kind := range []string{"post", "letter"} {
		b.Run(kind, func(b *testing.B) {
			r := sqliteRig(b)
			r.subscribers(r.list.ID, 1, 100_000)
			first := make(chan time.Time, 1)
			k := startSink(b, sink.Options{ForgetLetters: true, OnMessage: func(sink.Message) {
				select {
				case first <- time.Now():
				default:
				}
			}})
			ctx := context.Background()
			var took time.Duration
			for range b.N {
				e := r.engine(k, func(o *queue.Options) {
					if kind == "letter" {
						o.Composer = letterComposer{r.s}
					}
				})
				stop := run(b, e)
				time.Sleep(300 * time.Millisecond)
				start := time.Now()
				if kind == "letter" {
					if err := r.s.SaveLetter(ctx, &model.Distribution{Recipient: "a@example.net"}, []byte("Subject: x\r\n\r\n")); err != nil {
						b.Fatal(err)
					}
					took += (<-first).Sub(start)
				} else {
					id := r.distribute(r.list.ID, model.LanePost)
					start = time.Now()
					if _, err := r.s.RetryNow(ctx, store.QueueScope{}); err != nil { // a commit of our own process wakes the engine
						b.Fatal(err)
					}
					took += (<-first).Sub(start)
					if err := r.s.CancelDistribution(ctx, id, "bench"); err != nil {
						b.Fatal(err)
					}
				}
				stop()
				for len(first) > 0 {
					<-first
				}
			}
			b.ReportMetric(took.Seconds()*1000/float64(b.N), "ms-to-first")
			b.ReportMetric(0, "ns/op")
		})
	}
}

// peakMemory is VmHWM of a process in MB.
func peakMemory(pid int) float64 {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	for _, l := range strings.Split(string(text), "\n") {
		if v, ok := strings.CutPrefix(l, "VmHWM:"); ok {
			kb, _ := strconv.ParseFloat(strings.Fields(v)[0], 64)
			return kb / 1024
		}
	}
	return 0
}

// sinkProcess is a sink in a process of its own.
type sinkProcess struct {
	addr string
	in   io.Writer
	out  *bufio.Scanner
	cpu  time.Duration // user and system, when last asked
}

func startSinkChild(t testing.TB, o sink.Options) *sinkProcess {
	t.Helper()
	cmd := child(t, "sink", o)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	k := &sinkProcess{in: in}
	k.addr, k.out = startChild(t, cmd)
	t.Cleanup(func() { _ = in.Close(); _ = cmd.Wait() })
	return k
}

func (k *sinkProcess) counts(order string) (messages int64, first, last time.Time) {
	fmt.Fprintln(k.in, order)
	k.out.Scan()
	var a, b, n int64
	_, _ = fmt.Sscan(k.out.Text(), &messages, &a, &b, &n, &k.cpu)
	return messages, time.Unix(0, a), time.Unix(0, b)
}

// smtpSource measures Postfix's load generator against the sink, 0 when it is
// not installed.
func (k *sinkProcess) smtpSource(b *testing.B, n int) float64 {
	const path = "/usr/sbin/smtp-source"
	if _, err := os.Stat(path); err != nil {
		return 0
	}
	start := time.Now()
	out, err := exec.Command(path, "-d", "-s", "10", "-l", "3000", "-m", strconv.Itoa(n), "-f", "a@example.org", "-t", "b@example.net", k.addr).CombinedOutput()
	if err != nil {
		b.Logf("smtp-source: %v %s", err, out)
		return 0
	}
	rate := float64(n) / time.Since(start).Seconds()
	b.Logf("smtp-source sends %.0f/s", rate)
	return rate
}
