package store_test

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"testing"

	"plenary/internal/fault"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// TestFullDiskIsRemembered: a disk may be full for mail and have room for what a
// health check writes. Once mail was refused the check says so, until there is room
// for mail.
func TestFullDiskIsRemembered(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		do := func(query string) {
			t.Helper()
			if err := s.Do(ctx, query); err != nil {
				t.Fatal(err)
			}
		}
		check := func(full bool, when string) {
			t.Helper()
			if err := s.CheckWrite(ctx); full != fault.Is(err, fault.StorageFull) || !full && err != nil {
				t.Errorf("%s: %v", when, err)
			}
		}
		large := make([]byte, 200<<10)
		if _, err := rand.Read(large); err != nil {
			t.Fatal(err)
		}
		check(false, "at first")
		if s.Dialect() == store.SQLite {
			do("PRAGMA max_page_count = 1") // it is raised to what there is
		} else { // stands for a disk of which only pages in use have room
			do("CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN " +
				"IF length(NEW.text) > 8000 THEN RAISE 'no room' USING ERRCODE = '53100'; END IF; RETURN NEW; END $$")
			do("CREATE TRIGGER no_room BEFORE INSERT ON queue_notes FOR EACH ROW EXECUTE FUNCTION no_room()")
		}
		check(false, "before anybody knows")
		if err := s.SaveBaseURL(ctx, hex.EncodeToString(large)); !fault.Is(err, fault.StorageFull) {
			t.Fatal(err)
		}
		check(true, "after something found no room")
		check(true, "after something small was tried again")
		if s.Dialect() == store.SQLite {
			do("PRAGMA max_page_count = 1000000")
		} else {
			do("DROP TRIGGER no_room ON queue_notes")
		}
		check(false, "with room again")
		if n, err := s.TestCount(ctx, "SELECT max(length(text)) FROM queue_notes"); err != nil || n != 0 {
			t.Errorf("%d characters stay, %v", n, err)
		}
	})
}
