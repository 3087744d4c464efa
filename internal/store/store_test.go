package store_test

import (
	"bytes"
	"context"
	"testing"
	"time"

	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func TestSecretIsMadeOnce(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		a, err := s.Secret(ctx, "tokens")
		if err != nil || len(a) != 32 {
			t.Fatalf("%x, %v", a, err)
		}
		b, err := s.Secret(ctx, "tokens")
		if err != nil || !bytes.Equal(a, b) {
			t.Fatalf("%x became %x, %v", a, b, err)
		}
	})
}

func TestDemoIsMarked(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		for _, want := range []bool{false, true} {
			if got, err := s.IsDemo(ctx); err != nil || got != want {
				t.Fatalf("the demo made it: %v, not %v; %v", got, want, err)
			}
			if err := s.MarkDemo(ctx); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func TestMigrateAgainChangesNothing(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		steps, err := s.MigrationStatus(ctx)
		if err != nil || len(steps) == 0 {
			t.Fatalf("%v, %v", steps, err)
		}
		for _, st := range steps {
			if !st.Applied {
				t.Errorf("%s is not applied", st.Name)
			}
		}
	})
}

func TestWatchAcrossProcesses(t *testing.T) {
	// Two stores on one file stand for two processes.
	path := "sqlite:" + t.TempDir() + "/a.db"
	ctx := context.Background()
	var two [2]*store.Store
	for i := range two {
		s, err := store.Open(ctx, path, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		if err := s.Migrate(ctx); err != nil {
			t.Fatal(err)
		}
		two[i] = s
	}
	wake, cancel := two[0].Watch(store.TopicQueue)
	defer cancel()
	deadline := time.After(20 * time.Second)
	for i := 0; ; i++ {
		if _, err := two[1].Secret(ctx, string(rune('a'+i%26))+time.Now().String()); err != nil {
			t.Fatal(err)
		}
		select {
		case <-wake:
			return
		case <-deadline:
			t.Fatal("a commit of another process was not seen")
		case <-time.After(50 * time.Millisecond):
		}
	}
}

func TestCheckWriteWrites(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		for range 2 {
			if err := s.CheckWrite(ctx); err != nil {
				t.Fatal(err)
			}
		}
		n, err := s.TestCount(ctx, "SELECT count(*) FROM queue_notes WHERE at > 0")
		if err != nil || n != 1 {
			t.Errorf("%d rows, %v", n, err)
		}
		if st, err := s.QueueStatus(ctx, 10); err != nil || st.Paused != "" || len(st.Nodes) != 0 {
			t.Errorf("the queue's status shows it: %+v, %v", st, err)
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if err := s.CheckWrite(ctx); err == nil {
			t.Error("a closed database can be written to")
		}
	})
}

func TestBaseURLOfTheService(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		if u, found, err := s.FindBaseURL(ctx); u != "" || found || err != nil {
			t.Errorf("%q, %v, %v", u, found, err)
		}
		for _, say := range []string{"https://a.example", ""} {
			if err := s.SaveBaseURL(ctx, say); err != nil {
				t.Fatal(err)
			}
			if u, found, err := s.FindBaseURL(ctx); u != say || !found || err != nil {
				t.Errorf("%q, %v, %v", u, found, err)
			}
		}
	})
}
