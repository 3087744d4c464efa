package accept

import (
	"context"
	"strings"

	"plenary/internal/mail/message"
)

func askEmpty(_ context.Context, c *Case) (bool, string, error) {
	const reason = "The message is empty: it has neither text nor attachment."
	r := c.Reading()
	switch {
	case c.Structure.Opaque || r.Opaque || len(r.Files) > 0:
		return false, "", nil
	case strings.TrimSpace(r.Body) != "" || strings.TrimSpace(r.Quoted) != "" || strings.TrimSpace(r.Plain) != "":
		return false, "", nil
	case strings.Contains(strings.ToLower(r.HTML), "<img"):
		return false, "", nil
	}
	return !carries(c.Structure.Root), reason, nil
}

// carries finds a part with content that is not text to be read: a picture, a
// signature, an encrypted body.
func carries(root *message.Part) bool {
	for todo := []*message.Part{root}; len(todo) > 0; {
		p := todo[len(todo)-1]
		todo = append(todo[:len(todo)-1], p.Children...)
		if len(p.Children) == 0 && !strings.EqualFold(p.Type, "text") && p.End > p.BodyStart {
			return true
		}
	}
	return false
}
