package peers

import (
	"io"
	"testing"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"

	"plenary/internal/model"
)

// fetchAll reads every message of a mailbox by IMAP.
func fetchAll(t *testing.T, addr, password, box string) map[model.UID][]byte {
	t.Helper()
	c, err := imapclient.DialInsecure(addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if err := c.Login(reader, password).Wait(); err != nil {
		t.Fatal(err)
	}
	data, err := c.Select(box, &imap.SelectOptions{ReadOnly: true}).Wait()
	if err != nil {
		t.Fatal(err)
	}
	out := map[model.UID][]byte{}
	if data.NumMessages == 0 {
		return out
	}
	all := imap.SeqSet{}
	all.AddRange(1, 0)
	cmd := c.Fetch(all, &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{{Peek: true}}})
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		var uid model.UID
		var body []byte
		for item := msg.Next(); item != nil; item = msg.Next() {
			switch item := item.(type) {
			case imapclient.FetchItemDataUID:
				uid = model.UID(item.UID)
			case imapclient.FetchItemDataBodySection:
				if body, err = io.ReadAll(item.Literal); err != nil {
					t.Fatal(err)
				}
			}
		}
		out[uid] = body
	}
	if err := cmd.Close(); err != nil {
		t.Fatal(err)
	}
	return out
}
