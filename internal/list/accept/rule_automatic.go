package accept

import (
	"context"
	"strings"
)

// replyMarks are header fields that only replies written by machines carry.
var replyMarks = []string{"X-Autoreply", "X-Autorespond", "X-Autoresponder", "X-AutoReply-From", "X-Mail-Autoreply", "Vacation"}

// askAutomaticReply finds replies of machines (RFC 3834): one answer to a list
// post would go to everybody. They are dropped without a word, because a
// refusal would only become another automatic mail. Robots that post of their
// own accord (auto-generated: build reports, calendars) are authors like others.
func askAutomaticReply(_ context.Context, c *Case) (bool, string, error) {
	const reason = "This is an automatic reply, written by a machine."
	if kind := firstWord(c.Header.Get("Auto-Submitted")); kind == "auto-replied" || kind == "auto-notified" {
		return true, reason, nil
	}
	if p := firstWord(c.Header.Get("Precedence")); p == "auto_reply" || p == "auto-reply" {
		return true, reason, nil
	}
	for _, name := range replyMarks {
		if v := firstWord(c.Header.Get(name)); v != "" && v != "no" {
			return true, reason, nil
		}
	}
	root := c.Structure.Root
	if strings.EqualFold(root.Type, "multipart") && strings.EqualFold(root.Subtype, "report") {
		return true, "This is a delivery report or a read receipt, written by a machine.", nil
	}
	return false, "", nil
}

// firstWord is the lower-case keyword a field value begins with.
func firstWord(v string) string {
	if i := strings.IndexAny(v, " \t;("); i >= 0 {
		v = v[:i]
	}
	return strings.ToLower(v)
}
