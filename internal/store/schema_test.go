package store_test

import (
	"context"
	"fmt"
	"io/fs"
	"path"
	"sort"
	"strings"
	"sync"
	"testing"

	"gorm.io/gorm/schema"

	"plenary/internal/fault"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
	"plenary/migrations"
)

// TestSchemaFitsTheModels holds the migrated schema against the structs: each
// has a table with exactly its columns, on both dialects.
func TestSchemaFitsTheModels(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		for _, m := range []any{
			model.List{}, model.Subscriber{}, model.Account{}, model.AppPassword{}, model.Pending{}, model.Ban{}, model.Post{},
			model.PostEnvelope{}, model.PostHeader{}, model.ThreadNode{}, model.ThreadHint{}, model.ThreadRuling{}, model.Held{}, model.Event{}, model.Distribution{},
			model.Delivery{}, model.Chunk{}, model.Bounce{}, model.DKIMKey{}, store.Caught{}, model.STSPolicy{}, model.TLSCount{}, model.TLSReport{},
		} {
			sch, err := schema.Parse(m, &sync.Map{}, schema.NamingStrategy{})
			if err != nil {
				t.Fatal(err)
			}
			want := append([]string{}, sch.DBNames...)
			sort.Strings(want)
			have, err := s.Columns(context.Background(), sch.Table)
			if err != nil {
				t.Fatal(err)
			}
			if fmt.Sprint(want) != fmt.Sprint(have) {
				t.Errorf("%s: the model has %v, the table %v", sch.Table, want, have)
			}
		}
	})
}

// TestDialectsHaveTheSameSteps holds the two folders of migrations against each
// other: the same steps, and in the end the same tables and columns.
func TestDialectsHaveTheSameSteps(t *testing.T) {
	names := func(dir string) (out []string) {
		entries, err := fs.ReadDir(migrations.FS, dir)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			out = append(out, path.Base(e.Name()))
		}
		return out
	}
	if a, b := fmt.Sprint(names("sqlite")), fmt.Sprint(names("postgres")); a != b {
		t.Errorf("sqlite has %s, postgres %s", a, b)
	}
	ctx := context.Background()
	layout := func(s *store.Store) string {
		tables, err := s.Tables(ctx)
		if err != nil {
			t.Fatal(err)
		}
		var b strings.Builder
		for _, name := range tables {
			if strings.HasPrefix(name, "post_fts_") || name == "schema_migrations" { // each dialect's own
				continue
			}
			columns, err := s.Columns(ctx, name)
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintln(&b, name, columns)
		}
		return b.String()
	}
	if a, b := layout(stores.SQLite(t)), layout(stores.Postgres(t)); a != b {
		t.Errorf("sqlite:\n%s\npostgres:\n%s", a, b)
	}
}

// TestANewerSchemaIsRefused: a program must not write into tables it does not
// know.
func TestANewerSchemaIsRefused(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		if err := s.PretendVersion(ctx, 999); err != nil {
			t.Fatal(err)
		}
		if err := s.Migrate(ctx); !fault.Is(err, fault.Invalid) || !strings.Contains(err.Error(), "newer") {
			t.Errorf("migrating says %v", err)
		}
		if _, err := s.MigrationStatus(ctx); !fault.Is(err, fault.Invalid) {
			t.Errorf("the status says %v", err)
		}
	})
}
