package peers

import (
	"bytes"
	"context"
	"testing"

	"github.com/emersion/go-msgauth/dkim"

	"plenary/internal/list/keys"
	"plenary/internal/model"
	"plenary/internal/testkit"
)

// TestCopiesAndLettersAreSigned makes keys for the list's domain: every copy of
// a post and every house letter carries signatures that an independent verifier
// accepts, over the one-click fields too.
func TestCopiesAndLettersAreSigned(t *testing.T) {
	t.Parallel()
	p := testkit.Start(t)
	ctx := context.Background()
	service := keys.New(keys.Deps{Store: p.Store})
	made, err := service.Create(ctx, keys.Request{Domain: "lists.example.org", Ed25519: true})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := service.Activate(ctx, "lists.example.org", "", true); err != nil {
		t.Fatal(err)
	}
	records := map[string]string{}
	for _, k := range made {
		records[k.Name] = k.Record
	}
	l := p.List(talk, model.Discussion, "footer=Leave: {unsubscribe}")
	p.Add(l, model.RoleSubscriber, writer, "bo@example.net")
	if r := p.Send(writer, []string{talk}, testkit.Mail("From: "+writer, "To: "+talk, "Subject: signed", "Message-ID: <signed@example.org>", "", "Is this signed?")); r.Code != 250 {
		t.Fatalf("%d %s", r.Code, r.Text)
	}
	p.Send("new@example.com", []string{"talk-join@lists.example.org"}, testkit.Mail("From: new@example.com", "Subject: join", "", "x"))
	for _, who := range []string{writer, "bo@example.net", "new@example.com"} {
		c, err := p.Store.GetCaught(ctx, p.Caught(who, 1)[0].ID)
		if err != nil {
			t.Fatal(err)
		}
		found, err := dkim.VerifyWithOptions(bytes.NewReader(c.Data), &dkim.VerifyOptions{MaxVerifications: 5, LookupTXT: func(name string) ([]string, error) {
			return []string{records[name]}, nil
		}})
		if err != nil || len(found) != 2 {
			t.Fatalf("%s: %d signatures (%v)\n%s", who, len(found), err, c.Data)
		}
		for _, v := range found {
			if v.Err != nil {
				t.Errorf("%s: %v\n%s", who, v.Err, c.Data)
			}
			if who != "new@example.com" && !bytes.Contains(bytes.ToLower([]byte(joined(v.HeaderKeys))), []byte("list-unsubscribe-post")) {
				t.Errorf("%s: the one-click fields are not signed: %v", who, v.HeaderKeys)
			}
		}
	}
}

func joined(words []string) string {
	var b bytes.Buffer
	for _, w := range words {
		b.WriteString(w + " ")
	}
	return b.String()
}
