package web

import "strings"

// shownSubject is what a link or a headline says of a subject.
func shownSubject(subject string) string {
	if strings.TrimSpace(subject) == "" {
		return "(no subject)"
	}
	return subject
}
