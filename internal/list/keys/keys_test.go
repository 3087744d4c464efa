package keys

import (
	"bytes"
	"context"
	"crypto/rsa"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-msgauth/dkim"

	"plenary/internal/fault"
	"plenary/internal/mail/mailauth"
	"plenary/internal/model"
)

// memory is a store in memory.
type memory struct {
	mu     sync.Mutex
	rows   []model.DKIMKey
	id     int64
	reads  int
	secret []byte
	fail   error
}

func (m *memory) Secret(context.Context, string) ([]byte, error) { return m.secret, nil }

func (m *memory) SaveDKIMKeys(_ context.Context, keys ...*model.DKIMKey) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, k := range keys {
		if slices.ContainsFunc(m.rows, func(r model.DKIMKey) bool { return r.Domain == k.Domain && r.Selector == k.Selector }) {
			return fault.New(fault.Conflict, "it exists already")
		}
	}
	for _, k := range keys {
		m.id++
		k.ID = m.id
		m.rows = append(m.rows, *k)
	}
	return nil
}

func (m *memory) DKIMKeys(context.Context) ([]model.DKIMKey, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.reads++
	out := slices.Clone(m.rows)
	slices.SortStableFunc(out, func(a, b model.DKIMKey) int { return strings.Compare(a.Domain, b.Domain) })
	return out, m.fail
}

func (m *memory) ActivateDKIMKey(_ context.Context, id int64, at model.Instant) error {
	for i := range m.rows {
		if m.rows[i].ID == id {
			m.rows[i].ActiveAt = at
		}
	}
	return nil
}

func (m *memory) RemoveDKIMKey(_ context.Context, id int64) error {
	m.rows = slices.DeleteFunc(m.rows, func(k model.DKIMKey) bool { return k.ID == id })
	return nil
}

// rig is a service with a clock and a DNS to turn.
type rig struct {
	*Service
	m   *memory
	now time.Time
	dns map[string]string
}

func newRig() *rig {
	r := &rig{m: &memory{secret: bytes.Repeat([]byte{1}, 32)}, now: time.Date(2026, 11, 23, 20, 0, 0, 0, time.UTC), dns: map[string]string{}}
	r.Service = New(Deps{Store: r.m, Now: func() time.Time { return r.now }, LookupTXT: func(_ context.Context, name string) ([]string, error) {
		if text, ok := r.dns[name]; ok {
			return []string{"v=spf1 -all", text}, nil
		}
		return nil, errors.New("no such host")
	}})
	return r
}

func (r *rig) publish(keys ...Info) {
	for _, k := range keys {
		r.dns[k.Name] = k.Record
	}
}

// names are the selectors a mail of this domain is signed with.
func (r *rig) names(t *testing.T, domains ...string) string {
	t.Helper()
	keys, err := r.For(t.Context(), domains...)
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for _, k := range keys {
		out = append(out, k.Domain+"/"+k.Selector)
	}
	return strings.Join(out, " ")
}

func wantKind(t *testing.T, err error, kind fault.Kind) {
	t.Helper()
	if !fault.Is(err, kind) {
		t.Errorf("%v, want %v", err, kind)
	}
}

func TestLifeOfKeys(t *testing.T) {
	r, ctx := newRig(), t.Context()
	made, err := r.Create(ctx, Request{Domain: "Lists.Example.ORG", Ed25519: true})
	if err != nil || len(made) != 2 || made[0].Selector != "2026q4" || made[1].Selector != "2026q4e" || made[0].State != Waiting {
		t.Fatalf("%+v, %v", made, err)
	}
	if made[0].Name != "2026q4._domainkey.lists.example.org" || !strings.HasPrefix(made[0].Record, "v=DKIM1; k=rsa; p=MII") {
		t.Errorf("%q %q", made[0].Name, made[0].Record)
	}
	if got := r.names(t, "lists.example.org"); got != "" {
		t.Errorf("signs with %q before the record is there", got)
	}
	_, err = r.Activate(ctx, "lists.example.org", "", false)
	wantKind(t, err, fault.Temporary)
	r.publish(made[0])
	r.dns[made[1].Name] = made[0].Record
	_, err = r.Activate(ctx, "lists.example.org", "", false)
	wantKind(t, err, fault.Invalid)
	r.publish(made...)
	if got, err := r.Activate(ctx, "lists.example.org", "", false); err != nil || len(got) != 2 || got[1].State != Signing {
		t.Fatal(got, err)
	}
	if got := r.names(t, "lists.example.org"); got != "lists.example.org/2026q4 lists.example.org/2026q4e" {
		t.Errorf("signs with %q", got)
	}
	_, err = r.Create(ctx, Request{Domain: "lists.example.org", Ed25519: true})
	wantKind(t, err, fault.Conflict)

	r.now = r.now.AddDate(0, 2, 0)
	next, err := r.Rotate(ctx, Request{Domain: "lists.example.org", After: 48 * time.Hour})
	if err != nil || len(next) != 2 || next[0].Selector != "2027q1" || next[1].Algorithm != model.DKIMEd25519 {
		t.Fatalf("%+v, %v", next, err)
	}
	if got := r.names(t, "lists.example.org"); got != "lists.example.org/2026q4 lists.example.org/2026q4e" {
		t.Errorf("with new keys waiting it signs with %q", got)
	}
	_, err = r.Rotate(ctx, Request{Domain: "lists.example.org"})
	wantKind(t, err, fault.Conflict)
	r.now = r.now.Add(48 * time.Hour)
	if got := r.names(t, "lists.example.org"); got != "lists.example.org/2027q1 lists.example.org/2027q1e" {
		t.Errorf("after the delay it signs with %q", got)
	}
	all, err := r.List(ctx, "")
	if err != nil || len(all) != 4 || all[0].State != Replaced || !all[0].Until.Equal(r.now.Add(Overlap)) || all[2].State != Signing {
		t.Fatalf("%+v, %v", all, err)
	}
	_, err = r.Remove(ctx, "lists.example.org", "2027q1", false)
	wantKind(t, err, fault.Conflict)
	_, err = r.Remove(ctx, "lists.example.org", "nosuch", false)
	wantKind(t, err, fault.NotFound)
	if gone, err := r.Remove(ctx, "lists.example.org", "2026Q4", false); err != nil || gone.State != Replaced {
		t.Error(gone, err)
	}
	if gone, err := r.Remove(ctx, "lists.example.org", "2027q1", true); err != nil || gone.State != Signing {
		t.Error(gone, err)
	}
	if got := r.names(t, "lists.example.org"); got != "lists.example.org/2027q1e" {
		t.Errorf("signs with %q", got)
	}
	// The missing kind can be made again; the selectors of the quarter are taken.
	if again, err := r.Create(ctx, Request{Domain: "lists.example.org"}); err != nil || again[0].Selector != "2027q1-2" {
		t.Error(again, err)
	}
}

func TestWhoseKey(t *testing.T) {
	r, ctx := newRig(), t.Context()
	for _, d := range []string{"example.org", "bücher.example"} {
		if _, err := r.Create(ctx, Request{Domain: d, Selector: "S"}); err != nil {
			t.Fatal(err)
		}
		if _, err := r.Activate(ctx, d, "s", true); err != nil {
			t.Fatal(err)
		}
	}
	for asked, want := range map[string]string{
		"example.org":                     "example.org/s",
		"Lists.Example.Org":               "example.org/s",
		"a.b.c.example.org":               "example.org/s",
		"a.b.c.d.e.f.g.h.example.org":     "",
		"org":                             "",
		"badexample.org":                  "",
		"xn--bcher-kva.example":           "xn--bcher-kva.example/s",
		"not a domain":                    "",
		"":                                "",
		"example.net example.org":         "",
		"lists.bücher.example":            "xn--bcher-kva.example/s",
		"example.org\r\nX: y.example.org": "",
	} {
		if got := r.names(t, asked); got != want {
			t.Errorf("%q signs with %q, want %q", asked, got, want)
		}
	}
	if got := r.names(t, "example.net", "lists.example.org"); got != "example.org/s" {
		t.Errorf("the second domain: %q", got)
	}
	for _, bad := range []Request{{Domain: "no domain"}, {Domain: ""}, {Domain: "[127.0.0.1]"}, {Domain: "a.example", Selector: "a b"}, {Domain: "a.example", Selector: "a..b"},
		{Domain: "a.example", Selector: "-a"}, {Domain: "a.example", Selector: strings.Repeat("a", 63)}, {Domain: "a.example", After: -1}} {
		_, err := r.Create(ctx, bad)
		wantKind(t, err, fault.Invalid)
	}
	_, err := r.Rotate(ctx, Request{Domain: "c.example"})
	wantKind(t, err, fault.NotFound)
	_, err = r.Activate(ctx, "example.org", "", false)
	wantKind(t, err, fault.NotFound)
}

// TestOtherNodes: what another node changes is known after Refresh, and the
// database is not asked in between.
func TestOtherNodes(t *testing.T) {
	r, ctx := newRig(), t.Context()
	other := New(Deps{Store: r.m, Now: r.Now})
	if got := r.names(t, "example.org"); got != "" {
		t.Fatal(got)
	}
	if _, err := other.Create(ctx, Request{Domain: "example.org", Selector: "s", Ed25519: true}); err != nil {
		t.Fatal(err)
	}
	if _, err := other.Activate(ctx, "example.org", "", false); err != nil {
		t.Fatal(err)
	}
	before := r.m.reads
	if got := r.names(t, "example.org"); got != "" || r.m.reads != before {
		t.Errorf("%q after %d reads", got, r.m.reads-before)
	}
	r.now = r.now.Add(Refresh)
	first, err := r.For(ctx, "example.org")
	if err != nil || len(first) != 2 {
		t.Fatal(first, err)
	}
	r.now = r.now.Add(Refresh)
	second, err := r.For(ctx, "example.org")
	if err != nil || first[0].Signer.(*rsa.PrivateKey) != second[0].Signer.(*rsa.PrivateKey) { //nolint:forcetypeassert // RSA is first
		t.Errorf("the key was opened again: %v", err)
	}
	r.now = r.now.Add(Refresh)
	r.m.fail = fault.New(fault.Temporary, "away")
	_, err = r.For(ctx, "example.org")
	wantKind(t, err, fault.Temporary)
}

// TestSealed: a row is of no use without the secret, nor under another name.
func TestSealed(t *testing.T) {
	r, ctx := newRig(), t.Context()
	made, err := r.Create(ctx, Request{Domain: "example.org", Selector: "s", Ed25519: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Activate(ctx, "example.org", "", true); err != nil {
		t.Fatal(err)
	}
	keys, err := r.For(ctx, "example.org")
	if err != nil || len(keys) != 2 {
		t.Fatal(keys, err)
	}
	for i, k := range keys {
		if !mailauth.Publishes(made[i].Record, k.Signer.Public()) {
			t.Errorf("key %d is not what its record says", i)
		}
	}
	if n := keys[0].Signer.(*rsa.PrivateKey).N.BitLen(); n != rsaBits { //nolint:forcetypeassert // RSA is first
		t.Errorf("%d bits", n)
	}
	for name, change := range map[string]func(m *memory, d *Deps){
		"another secret":   func(m *memory, _ *Deps) { m.secret = bytes.Repeat([]byte{2}, 32) },
		"secret elsewhere": func(_ *memory, d *Deps) { d.Secret = []byte("kept in a file") },
		"another domain":   func(m *memory, _ *Deps) { m.rows[0].Private, m.rows[1].Private = m.rows[1].Private, m.rows[0].Private },
		"damage":           func(m *memory, _ *Deps) { m.rows[0].Private[40] ^= 1 },
		"nothing":          func(m *memory, _ *Deps) { m.rows[0].Private = nil },
	} {
		m := &memory{secret: r.m.secret, rows: slices.Clone(r.m.rows)}
		for i := range m.rows {
			m.rows[i].Private = bytes.Clone(m.rows[i].Private)
		}
		d := Deps{Store: m, Now: r.Now}
		change(m, &d)
		_, err := New(d).For(ctx, "example.org")
		wantKind(t, err, fault.Internal)
		if err == nil {
			t.Errorf("%s does not matter", name)
		}
	}
}

// TestSignedMailVerifies: from a new key to a verified message.
func TestSignedMailVerifies(t *testing.T) {
	r, ctx := newRig(), t.Context()
	made, err := r.Create(ctx, Request{Domain: "lists.example.org", Ed25519: true})
	if err != nil {
		t.Fatal(err)
	}
	r.publish(made...)
	if _, err := r.Activate(ctx, "lists.example.org", "", false); err != nil {
		t.Fatal(err)
	}
	keys, err := r.For(ctx, "lists.example.org")
	if err != nil {
		t.Fatal(err)
	}
	raw := "From: ann@example.net\r\nSubject: x\r\n\r\nText\r\n"
	p, err := mailauth.Prepare([]mailauth.Piece{{Data: []byte(raw)}}, keys, mailauth.Options{Time: r.now})
	if err != nil {
		t.Fatal(err)
	}
	sig, err := p.Sign()
	if err != nil {
		t.Fatal(err)
	}
	v, err := dkim.VerifyWithOptions(strings.NewReader(string(sig)+raw), &dkim.VerifyOptions{LookupTXT: func(name string) ([]string, error) {
		return []string{r.dns[name]}, nil
	}})
	if err != nil || len(v) != 2 || v[0].Err != nil || v[1].Err != nil || v[0].Domain != "lists.example.org" {
		t.Errorf("%+v, %v", v, err)
	}
}
