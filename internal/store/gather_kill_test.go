package store_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/postgres"
)

// The test binary runs itself again as a process that may be killed.
const savingVar = "PLENARY_STORE_TEST_SAVE" // the database

func TestMain(m *testing.M) {
	if dsn := os.Getenv(savingVar); dsn != "" {
		saveUntilKilled(dsn)
	}
	os.Exit(m.Run())
}

const savers = 12

// saveUntilKilled stores posts from many goroutines, each beginning with the one
// that the run before it may or may not have stored, and says which are stored.
func saveUntilKilled(dsn string) {
	fail := func(err error) {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	ctx := context.Background()
	s, err := store.Open(ctx, dsn, nil)
	if err != nil {
		fail(err)
	}
	l, err := s.FindList(ctx, "talk", "lists.example.org")
	if err != nil || l == nil {
		fail(fmt.Errorf("no list: %w", err))
	}
	var next [savers]int
	for i, f := range strings.Fields(os.Getenv(savingVar + "_FROM")) {
		if _, err := fmt.Sscan(f, &next[i]); err != nil {
			fail(err)
		}
	}
	var wg sync.WaitGroup
	for w := range savers {
		wg.Go(func() {
			for i := next[w]; ; i++ {
				name := fmt.Sprintf("%d.%d@x", w, i)
				p := newPost(l.ID, name, fmt.Sprintf("%d.%d@x", w, i-1))
				p.Distribution = &model.Distribution{Kind: model.DistributePost, Options: "{}"}
				p.Event = &model.Event{ListID: l.ID, Kind: "post.accepted", MessageKey: name}
				id, _, err := s.SavePost(ctx, p)
				if err != nil {
					fail(err)
				}
				fmt.Printf("%d %d %d\n", w, i, id.UID()) // one write: whole, or not there
			}
		})
	}
	wg.Wait()
}

// TestKilledInMidGroup kills a process whose posts are written in groups: each
// that was said to be stored is there, once, with the UID it was said to have,
// with its distribution and trace; the UIDs have no gap.
func TestKilledInMidGroup(t *testing.T) {
	kills := 8
	if testing.Short() {
		kills = 3
	}
	for name, dsn := range map[string]func() string{
		"sqlite":   func() string { return "sqlite:" + t.TempDir() + "/plenary.db" },
		"postgres": func() string { return postgres.DSN(t) },
	} {
		t.Run(name, func(t *testing.T) {
			ctx, dsn := context.Background(), dsn()
			s, err := store.Open(ctx, dsn, nil)
			if err != nil {
				t.Fatal(err)
			}
			defer func() { _ = s.Close() }()
			if err := s.Migrate(ctx); err != nil {
				t.Fatal(err)
			}
			l := makeList(t, s, "talk")
			var next [savers]int
			said := map[string]model.UID{}
			for range kills {
				from := strings.Trim(fmt.Sprint(next), "[]")
				for _, line := range killed(t, dsn, from, time.Duration(50+rand.IntN(250))*time.Millisecond) {
					var w, i int
					var uid model.UID
					if n, _ := fmt.Sscan(line, &w, &i, &uid); n != 3 {
						t.Fatalf("%q", line)
					}
					key := fmt.Sprintf("%d.%d@x", w, i)
					if said[key] != 0 {
						t.Fatalf("%s was stored twice: %d, %d", key, said[key], uid)
					}
					said[key], next[w] = uid, i+1
				}
			}
			s.HoldList(ctx, l.ID)() // what a killed process had asked PostgreSQL to commit is committed
			have := map[string]model.UID{}
			for uid := model.UID(1); ; uid++ {
				p, err := s.GetPost(ctx, model.MakePostID(l.ID, uid))
				if fault.Is(err, fault.NotFound) {
					break
				}
				if err != nil {
					t.Fatal(err)
				}
				name := strings.TrimPrefix(p.Subject, "about ")
				if have[name] != 0 {
					t.Errorf("%s is there twice", name)
				}
				have[name] = uid
			}
			for name, uid := range said {
				if have[name] != uid {
					t.Errorf("%s was stored as %d and is %d", name, uid, have[name])
				}
			}
			for _, table := range []string{"posts", "distributions", "events", "post_envelopes", "message_bytes"} {
				if n, err := s.CountRows(ctx, table); n != int64(len(have)) || err != nil {
					t.Errorf("%d posts, %d %s, %v", len(have), n, table, err)
				}
			}
			if next, err := s.NextUID(ctx, l.ID); int(next) != len(have)+1 || err != nil {
				t.Error("next UID:", next, err)
			}
			if len(said) < kills || len(have) > len(said)+kills*savers {
				t.Errorf("%d said, %d there", len(said), len(have))
			}
			t.Logf("%d kills, %d posts said to be stored, %d there, %d commits at the end", kills, len(said), len(have), commits(t, s))
		})
	}
}

// killed runs a process that stores posts for so long, and gives what it said.
func killed(t *testing.T, dsn, from string, after time.Duration) (lines []string) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), savingVar+"="+dsn, savingVar+"_FROM="+from)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	pipe, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewScanner(pipe)
	guard := time.AfterFunc(time.Minute, func() { _ = cmd.Process.Kill() }) // it says nothing
	defer guard.Stop()
	for out.Scan() {
		if len(lines) == 0 {
			guard.Stop()
			time.AfterFunc(after, func() { _ = cmd.Process.Kill() })
		}
		lines = append(lines, out.Text())
	}
	_ = cmd.Wait()
	return lines
}
