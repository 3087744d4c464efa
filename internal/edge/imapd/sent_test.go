package imapd

import (
	"context"
	"strings"
	"testing"

	"plenary/internal/list/archive"
	"plenary/internal/mail/message"
	"plenary/internal/model"
	"plenary/internal/store"
	"plenary/internal/testkit/stores"
)

// SENTON and its like go by the Date field, however odd: ahead of time, before mail
// was, days from when the post came. Every search by date finds a post on one
// day. People, who are shown when such a post came, find it by that (d:).
func TestSentDatesThatMakeNoSense(t *testing.T) {
	stores.Each(t, func(t *testing.T, s *store.Store) {
		ctx := context.Background()
		l := imported(t, s)
		add := func(id, date, received string, imported bool) {
			at, ok := message.ParseDate(received)
			if !ok {
				t.Fatal(received)
			}
			p := archive.Make(l, []byte("Message-ID: <"+id+"@x>\r\nSubject: clocks\r\n"+date+"\r\nbody of "+id+"\r\n"), nil, model.At(at), imported)
			if _, dup, err := s.SavePost(ctx, p); dup || err != nil {
				t.Fatal(dup, err)
			}
		}
		add("later", "Date: Tue Apr 20 20:18:17 2004\r\n", "17 Apr 2004 13:04:00 +0000", true) // as pipermail has it
		add("ahead", "Date: Sun, 8 Mar 2026 01:00:00 +0900\r\n", "5 Mar 2026 12:00:00 +0000", false)
		add("first", "Date: Thu, 01 Jan 1970 00:00:10\r\n", "5 Mar 2026 13:00:00 +0000", false)
		add("right", "Date: Fri, 6 Mar 2026 01:00:00 +0900\r\n", "5 Mar 2026 16:00:05 +0000", false)
		add("never", "", "5 Mar 2026 17:00:00 +0000", false)
		c := loggedIn(t, serveStore(t, s), "alice@example.org")
		c.want("EXAMINE Lists/talk", "OK")
		for q, want := range map[string]string{
			"SENTON 20-Apr-2004": "1", "SENTON 17-Apr-2004": "", "SENTON 18-Apr-2004": "", "SENTON 19-Apr-2004": "", "SENTON 21-Apr-2004": "",
			"SENTSINCE 18-Apr-2004 SENTBEFORE 19-Apr-2004": "", "ON 17-Apr-2004": "1",
			"SENTON 8-Mar-2026": "2", "SENTON 7-Mar-2026": "", "SENTON 5-Mar-2026": "5", "ON 5-Mar-2026": "2 3 4 5",
			"SENTON 1-Jan-1970": "3", "SENTBEFORE 1-Jan-1970": "", "SENTBEFORE 2-Jan-1970": "3", "SENTSINCE 2-Jan-1970": "1 2 4 5",
			"SENTON 6-Mar-2026": "4", "SENTSINCE 7-Mar-2026": "2", "NOT SENTON 8-Mar-2026": "1 3 4 5",
			"OR SENTON 1-Jan-1970 SENTON 20-Apr-2004": "1 3",
		} {
			if got := strings.Join(c.do("t", "SEARCH "+q), "\n"); got != strings.TrimSpace("* SEARCH "+want)+"\nt OK SEARCH completed" {
				t.Errorf("%s: %s, want %s", q, got, want)
			}
		}
		r := archive.NewReader(s)
		for q, want := range map[string]string{
			"d:2004-04-17": "1", "d:2004-04-20": "", "d:2004-04-18": "", "d:2004-04": "1", "d:2026-03-05": "5 3 2", "d:2026-03-08": "", "d:1970": "",
			"d:2026-03-06": "4", "d:2026-03-05..": "5 4 3 2", "d:..2026-03-05": "5 3 2 1", "-d:2026-03-05": "4 1",
		} {
			hits, err := r.Find(ctx, model.Actor{Site: true}, l.ID, q, 10)
			var got []string
			for _, h := range hits {
				got = append(got, string('0'+rune(h.UID)))
			}
			if err != nil || strings.Join(got, " ") != want {
				t.Errorf("%s: %v, want %s (%v)", q, got, want, err)
			}
		}
	})
}
