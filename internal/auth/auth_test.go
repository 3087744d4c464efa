package auth_test

import (
	"context"
	"regexp"
	"strings"
	"testing"
	"time"

	"plenary/internal/auth"
	"plenary/internal/fault"
	"plenary/internal/mail/address"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

func parse(t *testing.T, s string) address.Address {
	t.Helper()
	a, err := address.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

func TestAppPasswordLife(t *testing.T) {
	stores.Each(t, func(t *testing.T, st *store.Store) {
		ctx := context.Background()
		s := auth.New(auth.Deps{Store: st})
		ann := parse(t, "Ann@Example.net")
		secret, err := s.NewAppPassword(ctx, ann, "my\r\nphone")
		if err != nil || !regexp.MustCompile(`^([0-9a-z]{5}-){3}[0-9a-z]{5}$`).MatchString(secret) {
			t.Fatal(secret, err)
		}
		other, err := s.NewAppPassword(ctx, ann, "laptop")
		if err != nil || other == secret {
			t.Fatal(other, err)
		}
		for _, pw := range []string{secret, other, strings.ToUpper(secret), strings.ReplaceAll(secret, "-", ""), " " + strings.ReplaceAll(secret, "-", " ")} {
			who, err := s.Authenticate(ctx, "ann@EXAMPLE.net", pw)
			if err != nil || who.Anonymous || who.Email != "Ann@example.net" || len(who.Keys) != 1 || who.Keys[0] != "ann@example.net" {
				t.Fatal(pw, who, err)
			}
		}
		account, err := st.FindAccount(ctx, ann.Key())
		if err != nil {
			t.Fatal(err)
		}
		if err := st.SaveAddress(ctx, account.ID, "ann@work.example"); err != nil {
			t.Fatal(err)
		}
		if who, err := s.Authenticate(ctx, "ann@work.example", secret); err != nil || who.AccountID != account.ID || len(who.Keys) != 2 {
			t.Fatal(who, err)
		}
		all, err := s.AppPasswords(ctx, ann)
		if err != nil || len(all) != 2 || all[0].Label != "my phone" || all[0].UsedAt == 0 || all[0].Hash != nil {
			t.Fatal(all, err)
		}
		if err := s.Revoke(ctx, ann, all[0].ID); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Authenticate(ctx, "ann@example.net", secret); !fault.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
		if n, err := s.RevokeAll(ctx, ann); err != nil || n != 1 {
			t.Fatal(n, err)
		}
		if _, err := s.Authenticate(ctx, "ann@example.net", other); !fault.Is(err, fault.Unauthenticated) {
			t.Fatal(err)
		}
	})
}

func TestWrongPairsAllReadTheSame(t *testing.T) {
	st := stores.SQLite(t)
	ctx := context.Background()
	s := auth.New(auth.Deps{Store: st})
	ann := parse(t, "ann@example.net")
	secret, err := s.NewAppPassword(ctx, ann, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.NewAppPassword(ctx, parse(t, "bob@example.net"), ""); err != nil {
		t.Fatal(err)
	}
	want := ""
	for _, c := range [][2]string{{"ann@example.net", "wrong"}, {"ann@example.net", ""}, {"nobody@example.net", secret},
		{"bob@example.net", secret}, {"no address", secret}, {"", ""}, {"ann@example.net", strings.Repeat("x", 1<<20)},
		{"ann@example.net", "xxxxx-xxxxx-xxxxx-xxxxx"}, {"ann@example.net\x00", secret}} {
		_, err := s.Authenticate(ctx, c[0], c[1])
		if !fault.Is(err, fault.Unauthenticated) {
			t.Fatalf("%q: %v", c, err)
		}
		if want == "" {
			want = fault.Text(err)
		}
		if fault.Text(err) != want {
			t.Errorf("%q reads %q", c, fault.Text(err))
		}
	}
	if !s.Anonymous().Anonymous {
		t.Error("Anonymous is somebody")
	}
}

func TestThrottleKeepsThePersonIn(t *testing.T) {
	st := stores.SQLite(t)
	ctx := context.Background()
	now := time.Unix(1_700_000_000, 0)
	s := auth.New(auth.Deps{Store: st, Now: func() time.Time { return now }})
	ann := parse(t, "ann@example.net")
	known, err := s.NewAppPassword(ctx, ann, "")
	if err != nil {
		t.Fatal(err)
	}
	fresh, err := s.NewAppPassword(ctx, ann, "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Authenticate(ctx, "ann@example.net", known); err != nil {
		t.Fatal(err)
	}
	var last error
	for range 30 {
		_, last = s.Authenticate(ctx, "ann@example.net", "guess")
	}
	if !fault.Is(last, fault.TooMany) {
		t.Fatal(last)
	}
	if _, err := s.Authenticate(ctx, "ann@example.net", known); err != nil {
		t.Fatal("her own client was locked out:", err)
	}
	if _, err := s.Authenticate(ctx, "ann@example.net", fresh); !fault.Is(err, fault.TooMany) {
		t.Fatal(err)
	}
	now = now.Add(time.Hour)
	if _, err := s.Authenticate(ctx, "ann@example.net", fresh); err != nil {
		t.Fatal(err)
	}
}

func TestTooManyAppPasswords(t *testing.T) {
	s := auth.New(auth.Deps{Store: stores.SQLite(t)})
	var err error
	for range 51 {
		_, err = s.NewAppPassword(context.Background(), parse(t, "ann@example.net"), "")
	}
	if !fault.Is(err, fault.TooMany) {
		t.Fatal(err)
	}
	if _, err := s.NewAppPassword(context.Background(), address.Address{}, ""); !fault.Is(err, fault.Invalid) {
		t.Fatal(err)
	}
}
