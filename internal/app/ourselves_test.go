package app

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
)

// TestRelayIsNoDoorOfOurs: copies handed to ourselves would be refused, or taken
// for posts.
func TestRelayIsNoDoorOfOurs(t *testing.T) {
	o := &ourselves{names: []string{"lists.example.org", "box"}, addrs: []netip.Addr{netip.MustParseAddr("192.0.2.7"), netip.MustParseAddr("2001:db8::7")},
		lookup: func(_ context.Context, host string) ([]netip.Addr, error) {
			switch host {
			case "lists.example.org":
				return []netip.Addr{netip.MustParseAddr("192.0.2.7")}, nil
			case "mail.example.org":
				return []netip.Addr{netip.MustParseAddr("192.0.2.99")}, nil
			}
			return nil, errors.New("no such host")
		}}
	for _, c := range []struct {
		smtp, relays string
		ours         bool
	}{
		{":25", "127.0.0.1:25", true},
		{":25", "localhost:25", true},
		{":25", "LocalHost.:25", true},
		{":25", "mail.localhost:25", true},
		{":25", "[::1]:25", true},
		{":25", "[::ffff:127.0.0.1]:25", true},
		{":25", "127.0.1.1:25", true},
		{":25", "0.0.0.0:25", true},
		{":25", "192.0.2.7:25", true},
		{":25", "[2001:db8::7]:25", true},
		{":25", "lists.example.org:25", true},
		{":25", "BOX:25", true},
		{":25", "127.0.0.1:smtp", true},
		{":smtp", "127.0.0.1:25", true},
		{":25", "mail.example.org:25 localhost:25", true},
		{"0.0.0.0:25", "127.0.0.1:25", true},
		{"[::]:25", "127.0.0.1:25", true},
		{"127.0.0.1:25", "localhost:25", true},
		{"localhost:25", "[::1]:25", true},
		{"127.0.0.1:25", "0.0.0.0:25", true},
		{"192.0.2.7:25", "lists.example.org:25", true},
		{":25", "mail.example.org:25", false},
		{":25", "unknown.example.org:25", false},
		{":25", "127.0.0.1:587", false},
		{":25", "192.0.2.99:25", false},
		{"0.0.0.0:25", "[::1]:25", false},
		{"192.0.2.8:25", "lists.example.org:25", false},
		{"127.0.0.1:25", "127.0.0.2:25", false},
		{"127.0.0.1:0", "127.0.0.1:0", false},
		{"", "127.0.0.1:25", false},
		{"unix:/run/lmtp", "127.0.0.1:25", false},
	} {
		err := o.check([]door{{name: "imap.listen", addr: ":143"}, {name: "smtp.listen", addr: c.smtp}}, strings.Fields(c.relays))
		if (err != nil) != c.ours {
			t.Errorf("relay %s beside smtp.listen %q: %v", c.relays, c.smtp, err)
		}
		if err != nil && (!strings.Contains(err.Error(), "own smtp.listen ("+c.smtp+")") || !strings.Contains(err.Error(), "set outbound.relay to")) {
			t.Errorf("the sentence does not say what to set: %v", err)
		}
	}
}
