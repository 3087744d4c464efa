package sample_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"mime"
	"net/mail"
	"regexp"
	"slices"
	"testing"
	"time"

	"golang.org/x/text/encoding/ianaindex"

	"plenary/internal/sample"
	"plenary/internal/sample/gen"
)

// split takes an mbox file apart: mboxrd, LF line ends.
func split(t *testing.T, mbox []byte) [][]byte {
	t.Helper()
	var msgs [][]byte
	var cur []byte
	for _, line := range bytes.SplitAfter(mbox, []byte("\n")) {
		switch {
		case bytes.HasPrefix(line, []byte("From ")):
			if cur != nil {
				msgs = append(msgs, bytes.TrimSuffix(cur, []byte("\n")))
			}
			cur = []byte{}
		case cur == nil && len(line) > 0:
			t.Fatalf("line before the first separator: %q", line)
		case bytes.HasPrefix(bytes.TrimLeft(line, ">"), []byte("From ")):
			cur = append(cur, line[1:]...)
		default:
			cur = append(cur, line...)
		}
	}
	return append(msgs, bytes.TrimSuffix(cur, []byte("\n")))
}

var words = &mime.WordDecoder{CharsetReader: reader}

// reader decodes a charset by its IANA name.
func reader(charset string, in io.Reader) (io.Reader, error) {
	enc, err := ianaindex.MIME.Encoding(charset)
	if err != nil || enc == nil {
		return nil, fmt.Errorf("charset %q: %v", charset, err)
	}
	return enc.NewDecoder().Reader(in), nil
}

// TestMessages parses every message with net/mail and holds its header
// against what the source says.
func TestMessages(t *testing.T) {
	count := 0
	seen := map[string]bool{}
	langs := map[string]bool{}
	first, last := time.Date(2025, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(2026, 11, 16, 0, 0, 0, 0, time.UTC)
	for _, a := range archives() {
		want := a.build(t).Messages
		raws := split(t, a.mbox)
		if len(raws) != len(want) {
			t.Fatalf("%s: %d messages in the file, %d in the source", a.file, len(raws), len(want))
		}
		count += len(raws)
		for i, raw := range raws {
			m := want[i]
			langs[m.Lang] = true
			if !bytes.Equal(raw, m.Raw) {
				t.Errorf("%s: does not come back from the mbox file", m.Key)
			}
			msg, err := mail.ReadMessage(bytes.NewReader(raw))
			if err != nil {
				t.Errorf("%s: %v", m.Key, err)
				continue
			}
			checkHeader(t, a, m, msg.Header)
			if id := msg.Header.Get("Message-ID"); seen[id] {
				t.Errorf("%s: Message-ID used twice", m.Key)
			} else {
				seen[id] = true
			}
			if date, err := msg.Header.Date(); err != nil || date.Before(first) || date.After(last) || !date.Equal(m.Date) {
				t.Errorf("%s: Date %v, %v", m.Key, date, err)
			}
		}
	}
	if count < 180 || count > 230 {
		t.Errorf("%d messages, want 180 to 230", count)
	}
	if len(langs) < 6 {
		t.Errorf("only %d languages: %v", len(langs), langs)
	}
}

func checkHeader(t *testing.T, a archive, m *gen.Message, h mail.Header) {
	t.Helper()
	parser := mail.AddressParser{WordDecoder: words}
	from, err := parser.Parse(h.Get("From"))
	if err != nil || from.Name != m.Author.Name || from.Address != m.Author.Address {
		t.Errorf("%s: From %v, %v", m.Key, from, err)
	}
	to, err := parser.Parse(h.Get("To"))
	if err != nil || to.Address != a.list.Address {
		t.Errorf("%s: To %v, %v", m.Key, to, err)
	}
	if subject, err := words.DecodeHeader(h.Get("Subject")); err != nil || subject != m.Subject {
		t.Errorf("%s: Subject %q, %v", m.Key, subject, err)
	}
	if h.Get("Message-ID") != "<"+m.ID+">" {
		t.Errorf("%s: Message-ID %q", m.Key, h.Get("Message-ID"))
	}
}

// TestThreads follows In-Reply-To and References: every answer finds its
// parent in the archive, except where the source breaks it on purpose.
func TestThreads(t *testing.T) {
	id := regexp.MustCompile(`<([^<>\s]+)>`)
	for _, a := range archives() {
		have := map[string]time.Time{}
		ghosts, broken, deepest, threads := 0, 0, 0, map[string]int{}
		for _, m := range a.build(t).Messages {
			msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
			if err != nil {
				t.Fatal(err)
			}
			named := id.FindAllStringSubmatch(msg.Header.Get("In-Reply-To"), -1)
			if len(named) == 0 {
				named = id.FindAllStringSubmatch(msg.Header.Get("References"), -1)
			}
			found := ""
			if len(named) > 0 {
				found = named[len(named)-1][1]
			}
			_, known := have[found]
			switch {
			case m.Ghost:
				ghosts++
				if known || found != m.Parent {
					t.Errorf("%s: the parent of a ghost's answer must be absent", m.Key)
				}
			case m.Broken:
				broken++
				if found == m.Parent {
					t.Errorf("%s: is not broken", m.Key)
				}
			case found != m.Parent || found != "" && !known:
				t.Errorf("%s: answers %q, want %q", m.Key, found, m.Parent)
			}
			have[m.ID] = m.Arrived
			refs := id.FindAllString(msg.Header.Get("References"), -1)
			deepest = max(deepest, len(refs))
			if len(refs) > 0 {
				threads[refs[0]]++
			}
		}
		if a.folder == "talk" && (ghosts < 4 || broken < 2 || deepest < 4 || len(threads) < 30) {
			t.Errorf("%d ghosts, %d broken, depth %d, %d threads with answers", ghosts, broken, deepest, len(threads))
		}
	}
}

// TestSigned holds the signed parts against the octets that were signed. The
// keys were thrown away: who changes these texts makes new signatures.
func TestSigned(t *testing.T) {
	pgp, smime := 0, 0
	for _, a := range archives() {
		for _, m := range a.build(t).Messages {
			if m.Signed == nil {
				continue
			}
			msg, err := mail.ReadMessage(bytes.NewReader(m.Raw))
			if err != nil {
				t.Fatal(err)
			}
			_, params, err := mime.ParseMediaType(msg.Header.Get("Content-Type"))
			if err != nil {
				t.Fatal(err)
			}
			want := ""
			switch params["protocol"] {
			case "application/pgp-signature":
				pgp++
				want = "b0ef2029374d3d1b7b77b940566be90db56231846f6b07b484dd80bb2fa9cc14"
			case "application/pkcs7-signature":
				smime++
				want = "eb8fb1a33cfdc3248562c331c4c18b5f4f13f728d60cac65add5f4e91edc53f5"
			}
			sum := sha256.Sum256(m.Signed)
			if got := hex.EncodeToString(sum[:]); got != want {
				t.Errorf("%s: the signature is for other octets than these, sha256 %s", m.Key, got)
			}
			crlf := bytes.ReplaceAll(m.Raw, []byte("\n"), []byte("\r\n"))
			if !bytes.Contains(crlf, append([]byte("--"+params["boundary"]+"\r\n"), m.Signed...)) {
				t.Errorf("%s: the signed octets are not in the message", m.Key)
			}
		}
	}
	if pgp != 1 || smime != 1 {
		t.Errorf("%d PGP and %d S/MIME signatures, want one of each", pgp, smime)
	}
}

// TestPeople holds the subscribers named for a demonstration.
func TestPeople(t *testing.T) {
	var from []string
	for _, m := range archives()[0].build(t).Messages {
		from = append(from, m.Author.Address)
	}
	for _, who := range []string{sample.OwnerAddress, sample.ModeratorAddress, sample.SubscriberAddress} {
		if !slices.Contains(from, who) {
			t.Errorf("%s wrote nothing", who)
		}
	}
}
