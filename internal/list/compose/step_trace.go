package compose

import "strings"

// stepTrace passes on what Archived had to add: the Received field is owed by
// every server that touches a message (RFC 5321 4.4), and all copies and the
// archive must bear the same Message-ID.
func stepTrace(d *Draft) {
	for _, f := range d.own.Fields() {
		switch strings.ToLower(f.Name) {
		case "received", "date":
			d.add(d.own.Raw(f))
		case "message-id":
			d.add(d.own.Raw(f))
			d.cut(named("message-id")) // one that cannot be used
		}
	}
}

// named makes a test for field names, given in lower case.
func named(names ...string) func(string) bool {
	return func(name string) bool {
		name = strings.ToLower(name)
		for _, n := range names {
			if n == name {
				return true
			}
		}
		return false
	}
}
