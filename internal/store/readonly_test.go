package store_test

import (
	"context"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestReadOnlyPasses: connections that began while the database was set to be read
// only are not kept when that is over.
func TestReadOnlyPasses(t *testing.T) {
	ctx := context.Background()
	dsn := stores.PostgresDSN(t)
	open := func() *store.Store {
		s, err := store.Open(ctx, dsn, nil)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}
	operator, s := open(), open()
	do := func(query string) {
		t.Helper()
		if err := operator.Do(ctx, query); err != nil {
			t.Fatal(err)
		}
	}
	set := func(to string) {
		t.Helper()
		do("DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET default_transaction_read_only = " + to + "', current_database()); END $$")
	}
	set("on")
	do("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()")
	for range 3 {
		if err := s.CheckWrite(ctx); !fault.Is(err, fault.Temporary) {
			t.Fatalf("a database that is read only: %v", err)
		}
	}
	set("off")
	err := s.CheckWrite(ctx)
	for n := 1; err != nil && n < 20; n++ { // as many as the pool may hold
		err = s.CheckWrite(ctx)
	}
	if err != nil {
		t.Errorf("it can be written to again: %v", err)
	}
}
