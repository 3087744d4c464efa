package cli

import "testing"

func TestDestination(t *testing.T) {
	for text, want := range map[string]string{
		"Example.ORG":        "example.org",
		"127.0.0.1":          "127.0.0.1",
		"relay.example:587":  "relay.example:587",
		"Relay.example:587":  "relay.example:587",
		"127.0.0.1:25":       "127.0.0.1:25",
		"2001:DB8::25":       "2001:db8::25",
		"[2001:db8::25]":     "2001:db8::25",
		"[2001:db8:0::25]:5": "[2001:db8::25]:5",
		"no domain":          "",
		"":                   "",
	} {
		if got := destination(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
