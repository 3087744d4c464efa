package accept

import (
	"context"
	"strings"
)

// askAuthors wants one author everybody agrees on: what a rule decides about the
// first must not go out in the name of the second.
func askAuthors(_ context.Context, c *Case) (bool, string, error) {
	why := c.Header.AuthorDoubt()
	return why != "", why, nil
}

// single are the other fields of which RFC 5322 3.6 and RFC 2045 allow one, as
// people read them.
var single = []string{"Sender", "Reply-To", "To", "Cc", "Date", "Subject", "Message-ID", "In-Reply-To", "References", "Content-Type",
	"Content-Transfer-Encoding"}

// askRepeated holds a message that says two things in the place of one: programs
// differ in which they believe. The same thing said twice is only untidy, as
// mail from web forms is.
func askRepeated(_ context.Context, c *Case) (bool, string, error) {
	for _, name := range single {
		values := c.Header.All(name)
		for _, v := range values[min(1, len(values)):] {
			if strings.TrimSpace(v) != strings.TrimSpace(values[0]) {
				return true, "The message has two different " + name + " fields, and mail programs would not agree which one counts.", nil
			}
		}
	}
	return false, "", nil
}
