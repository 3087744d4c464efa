package sink_test

import (
	"fmt"
	"net/smtp"
	"strings"
	"testing"
	"time"

	"plenary/internal/testkit/sink"
)

func start(t *testing.T, o sink.Options) *sink.Sink {
	t.Helper()
	k, err := sink.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func mail(id int) []byte {
	return fmt.Appendf(nil, "Subject: x\r\nmessage-id: <%d@example.org>\r\n\r\n%s.\r\n..dots\r\n", id, strings.Repeat("line\r\n", 20))
}

// TestCounts compares with a client that is not ours.
func TestCounts(t *testing.T) {
	var got []string
	k := start(t, sink.Options{OnMessage: func(m sink.Message) { got = append(got, string(m.Data)) }})
	for i := range 3 {
		if err := smtp.SendMail(k.Addr(), nil, "a@example.org", []string{"b@example.net", "c@example.net"}, mail(i/2)); err != nil {
			t.Fatal(err)
		}
	}
	snap := k.Snapshot()
	if snap.Messages != 3 || snap.Connections != 3 || snap.Letters[sink.Letter{Recipient: "b@example.net", MessageID: "0@example.org"}] != 2 ||
		snap.Letters[sink.Letter{Recipient: "c@example.net", MessageID: "1@example.org"}] != 1 || snap.Recipients()["c@example.net"] != 3 {
		t.Errorf("%+v", snap)
	}
	if len(got) != 3 || got[0] != string(mail(0)) {
		t.Errorf("%q", got)
	}
}

// TestFaultsAreRepeatable: the same attempts fail whenever and in whatever order
// they come.
func TestFaultsAreRepeatable(t *testing.T) {
	try := func(backwards bool) map[string]string {
		k := start(t, sink.Options{Seed: 9, Temporary: 0.2, Permanent: 0.1, DropBefore: 0.1, DropAfter: 0.1})
		out := map[string]string{}
		for i := range 60 {
			if backwards {
				i = 59 - i
			}
			who := fmt.Sprintf("p%d@example.net", i)
			for n := range 3 {
				err := smtp.SendMail(k.Addr(), nil, "a@example.org", []string{who}, mail(i))
				out[fmt.Sprint(who, n)] = fmt.Sprint(err)
				if k.Condemned(who) && (err == nil || !strings.Contains(err.Error(), "550")) {
					t.Errorf("%s is always refused and got %v", who, err)
				}
			}
		}
		snap := k.Snapshot()
		if snap.Refused == 0 || snap.Dropped == 0 || snap.Silent == 0 || snap.Messages < 60 {
			t.Errorf("%+v", snap)
		}
		return out
	}
	a, b := try(false), try(true)
	for who, want := range a {
		if got := b[who]; (got == "<nil>") != (want == "<nil>") {
			t.Errorf("%s: %q and %q", who, want, got)
		}
	}
}

// TestLatency: replies wait, a round trip each.
func TestLatency(t *testing.T) {
	k := start(t, sink.Options{Latency: 5 * time.Millisecond, NoChunking: true, NoPipelining: true})
	if err := smtp.SendMail(k.Addr(), nil, "a@example.org", []string{"b@example.net"}, mail(1)); err != nil {
		t.Fatal(err)
	}
	if k.Messages() != 1 || k.Open() > 1 {
		t.Errorf("%d messages", k.Messages())
	}
}
